# The action's image: one static binary, and the roots of trust that its transfer engine looks for.
# For the SBOM of a release: the binary does not tell what it was made from, the lock files do.
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true
FROM rust:1.95.0-alpine AS build
RUN apk add --no-cache build-base
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
# In a release, the proxy's image by digest; without it, proxy Spaces are compiled from source.
ARG HF_DEPLOY_PROXY_IMAGE
COPY src src
COPY tests tests
COPY proxy-template proxy-template
RUN cargo build --release --locked --package hf-deploy --bin hf-deploy

# No USER and no WORKDIR: the runner mounts the workspace and writes its files as root.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/target/release/hf-deploy /hf-deploy
ENTRYPOINT ["/hf-deploy"]
