# The image of the action: one static binary. Its root certificates are built in.
# The SBOM of a release lists the crates of the lock files, because the binary does not name them.
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true
FROM rust:1.95.0-alpine@sha256:606fd313a0f49743ee2a7bd49a0914bab7deedb12791f3a846a34a4711db7ed2 AS build
WORKDIR /build
# The allocator is written in C and needs make to build.
# hadolint ignore=DL3018
RUN apk add --no-cache make
COPY Cargo.toml Cargo.lock ./
# The proxy's image by digest, in a release. Without it, proxy Spaces compile the proxy from source.
ARG HF_DEPLOY_PROXY_IMAGE
COPY src src
COPY tests/local-github tests/local-github
COPY tests/local-hub tests/local-hub
COPY tests/quickstart tests/quickstart
COPY proxy-template proxy-template
# With the target named, cargo passes the flags to the binary, and not to build scripts. The second flag shares sequences
# of instructions that save 32 bytes or more, which costs a deploy of 2,000 small files about five percent of its work.
RUN RUSTFLAGS="-C target-feature=+crt-static -C llvm-args=--enable-machine-outliner=always -C llvm-args=--outliner-benefit-threshold=32" \
    cargo build --release --locked --target "$(rustc --print host-tuple)" --package hf-deploy --bin hf-deploy --features jemalloc \
    && install -D target/*/release/hf-deploy /image/hf-deploy

# No USER and no WORKDIR, because the runner mounts the workspace and writes its files as root.
FROM scratch
COPY --from=build /image /
# hf-deploy writes its root certificates to this file when the transfer engine needs them.
ENV SSL_CERT_FILE=/roots.pem
ENTRYPOINT ["/hf-deploy"]
