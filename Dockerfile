# One image for every role: `docker run berth api`, `… worker --queues provisioning`, `… relay`,
# `… migrate`. The same toolchain and lock file as `make`.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The queries are checked against the committed description of the schema (.sqlx).
ENV SQLX_OFFLINE=true
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin berth && cp target/release/berth /berth

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/berth --shell /usr/sbin/nologin berth \
 && install -d -o berth -g berth -m 0700 /var/lib/berth /var/lib/berth/keyring /var/lib/berth/objects
COPY --from=build /berth /usr/local/bin/berth
USER 10001
ENTRYPOINT ["berth"]
