# Builds two images: `postern` (the default), which runs the gateway and every other use of the command, and `init`,
# which prepares a Vault or OpenBao server with init-vault.sh. Plain Dockerfile syntax, so that any builder takes it.
ARG SWIFT_VERSION=6.3
ARG DEBIAN_RELEASE=bookworm

FROM swift:${SWIFT_VERSION}-${DEBIAN_RELEASE} AS build
# Versions come with the Debian release: pinned ones would vanish from the mirrors with the next security update.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# What the build needs of the system changes seldom, and is installed before the sources come in.
COPY Makefile ./
COPY scripts scripts
RUN make deps-run
COPY . .
# The symbols stay, so that crash reports name functions; line tables and types go.
RUN make release \
    && mkdir /out \
    && strip --strip-debug -o /out/postern "$(swift build -c release --static-swift-stdlib --show-bin-path)/postern"

FROM debian:${DEBIAN_RELEASE}-slim AS init
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl jq \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 postern \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin postern \
    && install -d -o postern -g postern -m 0700 /var/lib/init-vault /etc/postern/credentials
COPY init-vault.sh /usr/local/bin/init-vault.sh
USER 10001:10001
ENTRYPOINT ["init-vault.sh"]
CMD ["--help"]

# The last stage is what a build makes that names none.
FROM debian:${DEBIAN_RELEASE}-slim AS postern
# The libraries that the command is linked against; a test holds it to this list.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates libffi8 libnghttp2-14 libp11-kit0 libsqlite3-0 libssl3 libstdc++6 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 postern \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin postern \
    && install -d -m 0755 /etc/postern /etc/postern/tls /etc/postern/trust \
    && install -d -o postern -g postern -m 0700 \
        /etc/postern/credentials /var/lib/postern /var/log/postern /var/log/postern/audit
COPY --from=build /out/postern /usr/local/bin/postern
COPY deploy/issue-certificates.sh /usr/local/bin/issue-certificates.sh
# Fails the build, rather than the start, if a library is missing.
RUN ["postern", "version"]
USER 10001:10001
# gRPC and the admin API.
EXPOSE 7443 8443
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["postern", "health", "--ca", "/etc/postern/trust/ca.pem"]
ENTRYPOINT ["postern"]
CMD ["serve", "--config", "/etc/postern/postern.yaml"]
