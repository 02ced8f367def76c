# The image holds one static program and nothing else: no shell, no package manager, no
# certificates but Debian's list, which the program needs to reach DTM and the login
# provider over TLS.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build && mkdir -p /data && chmod 0700 /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/bin/portal /portal
COPY --from=build --chown=65532:65532 /data /data
COPY --from=build --chown=65532:65532 --chmod=1777 /data /tmp
USER 65532:65532
ENV LISTEN=0.0.0.0:8080 DATABASE_URL=sqlite:/data/countersign.db BLOB_DIR=/data/blobs
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/portal", "health", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["/portal"]
CMD ["serve"]
