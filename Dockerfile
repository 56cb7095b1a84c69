# One image for every program: /api, /worker and /frontispiece, static, as a
# user who is not root, on nothing but themselves. docker-compose.yml runs it
# with a read-only root; only /data is written to.
#
#   docker build -t frontispiece .
#   docker run -e JWT_SECRET_KEY=… -p 127.0.0.1:8000:8000 -v frontispiece:/data frontispiece

FROM golang:1.27.3-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .

# WebP needs libwebp and so a C compiler; its result is linked statically. Names
# and users are looked up in Go (netgo, osusergo), since glibc's own look-ups
# load libraries at run time.
ENV CGO_ENABLED=1
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -mod=readonly -trimpath -tags netgo,osusergo \
      -ldflags '-s -w -linkmode external -extldflags "-static"' -o /out/bin/ ./cmd/... \
 && for program in /out/bin/*; do \
      if ldd "$program"; then echo "$program is not static" >&2; exit 1; fi; \
      "$program" --version; \
    done

# A new volume takes its owner from the folder that it is mounted on, so the
# folders must be there and the user's.
RUN mkdir -p /out/own/data/spool /out/own/data/images /out/etc \
 && echo 'frontispiece:x:65532:65532::/data:/sbin/nologin' > /out/etc/passwd

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/etc/ /etc/
COPY --from=build --chown=65532:65532 /out/own/ /
COPY --from=build /out/bin/ /

# PORT alone listens on all addresses once JWT_SECRET_KEY is set, and on
# loopback, out of everybody's reach, until then.
ENV DATA_DIR=/data PORT=8000
USER 65532:65532
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/frontispiece", "ping", "api"]
CMD ["/api"]

LABEL org.opencontainers.image.title="Frontispiece" \
      org.opencontainers.image.description="Makes, keeps and publishes the featured picture of every post" \
      org.opencontainers.image.source="https://github.com/glad-labs/frontispiece"
