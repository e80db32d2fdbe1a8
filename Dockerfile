# The action's image: one static binary, and nothing else. Its roots of trust are compiled in.
# For the SBOM of a release: the binary does not tell what it was made from, the lock files do.
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true
FROM rust:1.95.0-alpine@sha256:606fd313a0f49743ee2a7bd49a0914bab7deedb12791f3a846a34a4711db7ed2 AS build
WORKDIR /build
# For the allocator, which is written in C. It leaves no trace in the image.
# hadolint ignore=DL3018
RUN apk add --no-cache make
COPY Cargo.toml Cargo.lock ./
# In a release, the proxy's image by digest; without it, proxy Spaces are compiled from source.
ARG HF_DEPLOY_PROXY_IMAGE
COPY src src
COPY tests/local-hub tests/local-hub
COPY proxy-template proxy-template
# For this machine's own target, by name: the flags are for the binary then, and not for what builds it.
RUN RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --release --locked --target "$(rustc --print host-tuple)" --package hf-deploy --bin hf-deploy --features jemalloc \
    && install -D target/*/release/hf-deploy /image/hf-deploy

# No USER and no WORKDIR: the runner mounts the workspace and writes its files as root.
FROM scratch
COPY --from=build /image /
# Not there until it is needed: hf-deploy writes its roots to it for its transfer engine, which knows no others.
ENV SSL_CERT_FILE=/roots.pem
ENTRYPOINT ["/hf-deploy"]
