// The settings of the two front ends.

/// The oldest TLS version that is accepted.
public enum MinimumTLS: String, Sendable, CaseIterable {
    /// TLS 1.3 (RFC 8446).
    case v1_3 = "1.3"
    /// TLS 1.2 (RFC 5246).
    case v1_2 = "1.2"
}

enum GRPCSettings {
    static let listen = Setting("grpc.listen", .address, .means("127.0.0.1:7443"), "Where services connect.")
    static let certificate = Setting(
        "grpc.certificate", .path, .isAnError(example: "tls/server.pem"),
        "The server certificate and its intermediates in PEM, the server's own first.")
    static let key = Setting(
        "grpc.key", .serverKey, .isAnError(example: "tls/server.key"),
        "The server's private key in PEM without a passphrase, at most 0640; or in an HSM.")
    static let clientCA = Setting(
        "grpc.client_ca", .path, .isAnError(example: "tls/clients.pem"),
        "The CAs that client certificates must lead to, in PEM. The system's are never used.")
    static let crl = Setting(
        "grpc.crl", .paths, .means(""), "Revocation lists (RFC 5280) in PEM or DER, signed by those CAs.")
    static let crlAllowExpired = Setting(
        "grpc.crl_allow_expired", .boolean, .means("false"),
        "Whether a revocation list whose next update is overdue is used with a warning.")
    static let denyList = Setting(
        "grpc.deny_list", .path, .isFine(example: "deny.txt"),
        "A file of certificate fingerprints, serial numbers and SPIFFE IDs that are refused, one a line.")
    static let minimumTLS = Setting(
        "grpc.minimum_tls", .choice(MinimumTLS.self), .means("1.3"), "The oldest TLS version that is accepted.")
    static let allowCommonName = Setting(
        "grpc.allow_common_name", .boolean, .means("false"),
        "Whether the common name of a certificate without other names counts as identity.")
    static let maxConnections = Setting(
        "grpc.max_connections", .integer(1...1_000_000), .means("4096"), "The most connections at a time.")
    static let maxStreams = Setting(
        "grpc.max_streams", .integer(1...65_536), .means("256"), "The most calls at a time on one connection.")
    static let maxMessageBytes = Setting(
        "grpc.max_message_bytes", .integer(4_096...67_108_864), .means("1310720"), "The largest request message.")
    static let maxHeaderBytes = Setting(
        "grpc.max_header_bytes", .integer(1_024...1_048_576), .means("16384"),
        "The largest header list of a request (RFC 9113 §6.5.2).")
    static let handshakeTimeout = Setting(
        "grpc.handshake_timeout", .duration(.milliseconds(100)...maximum), .means("10s"),
        "How long a client may take for the TLS handshake.")
    static let idleTimeout = Setting(
        "grpc.idle_timeout", .duration(.seconds(1)...maximum), .means("30m"),
        "After how long a connection without calls is closed.")
    static let keepaliveInterval = Setting(
        "grpc.keepalive_interval", .duration(.seconds(1)...maximum), .means("2m"),
        "After how long without a sign of life a connection is pinged.")
    static let keepaliveTimeout = Setting(
        "grpc.keepalive_timeout", .duration(.milliseconds(100)...maximum), .means("20s"),
        "How long the answer to a ping may take.")
    static let maxConnectionAge = Setting(
        "grpc.max_connection_age", .duration(.zero...maximum), .means("0s"),
        "After how long a connection is asked to reconnect; 0s means never.")
    static let defaultDeadline = Setting(
        "grpc.default_deadline", .duration(.milliseconds(1)...maximum), .means("30s"),
        "The deadline of a call that names none.")
    static let reflection = Setting(
        "grpc.reflection", .boolean, .means("true"), "Whether clients may ask for the service descriptions.")
    static let threads = Setting(
        "grpc.threads", .integer(0...1_024), .means("0"), "How many event loops serve; 0 means one for each core.")

    /// The longest time a setting may name: a month.
    static let maximum = Duration.seconds(744 * 3600)

    static let section = Section(
        "grpc", "The gRPC front end: where services fetch secrets, with mutual TLS.",
        [
            listen.erased, certificate.erased, key.erased, clientCA.erased, crl.erased, crlAllowExpired.erased,
            denyList.erased, minimumTLS.erased, allowCommonName.erased, maxConnections.erased, maxStreams.erased,
            maxMessageBytes.erased, maxHeaderBytes.erased, handshakeTimeout.erased, idleTimeout.erased,
            keepaliveInterval.erased, keepaliveTimeout.erased, maxConnectionAge.erased, defaultDeadline.erased,
            reflection.erased, threads.erased,
        ])
}

enum AdminSettings {
    static let listen = Setting("admin.listen", .address, .means("127.0.0.1:8443"), "Where people connect.")
    static let certificate = Setting(
        "admin.certificate", .path, .isAnError(example: "tls/server.pem"),
        "The server certificate and its intermediates in PEM, the server's own first.")
    static let keyFile = Setting(
        "admin.key_file", .serverKey, .isAnError(example: "tls/server.key"),
        "The server's private key in PEM without a passphrase, at most 0640; or in an HSM.")
    static let key = Setting(
        "admin.key", .secret, .isFine(example: ""), alias: "ADMIN_KEY",
        "The admin key that people send. Give it in the environment rather than here.")
    static let keys = Setting(
        "admin.keys", .namedHashes, .means(""),
        "Named admin keys as SHA-256 hashes: printf %s KEY | sha256sum")
    static let allowedOrigins = Setting(
        "admin.allowed_origins", .origins, .means(""), "The origins of web pages that may call the API (CORS).")
    static let maxBodyBytes = Setting(
        "admin.max_body_bytes", .integer(1_024...134_217_728), .means("1500000"), "The largest request body.")
    static let requestTimeout = Setting(
        "admin.request_timeout", .duration(.milliseconds(100)...GRPCSettings.maximum), .means("30s"),
        "How long a request may take.")
    static let maxFailuresPerMinute = Setting(
        "admin.max_failures_per_minute", .integer(1...100_000), .means("10"),
        "How many failed logins a minute an address may have before it must wait.")
    static let minimumTLS = Setting(
        "admin.minimum_tls", .choice(MinimumTLS.self), .means("1.3"), "The oldest TLS version that is accepted.")

    static let section = Section(
        "admin", "The HTTPS admin API: where people manage secrets.",
        [
            listen.erased, certificate.erased, keyFile.erased, key.erased, keys.erased, allowedOrigins.erased,
            maxBodyBytes.erased, requestTimeout.erased, maxFailuresPerMinute.erased, minimumTLS.erased,
        ])
}
