// The server over TLS, driven by other people's clients: C-core through grpcio, and raw frames through Python's h2.
// Each case has a server process of its own, which must still serve after whatever was done to it.

import Testing

private let certificates = Task { try await Certificates() }

private func check(_ script: String, _ name: String, _ settings: [String] = []) async throws {
    let server = try EchoProcess(certificates: await certificates.value, settings: settings)
    try await server.check(script, name)
    #expect(server.isRunning)
}

@Suite(.serialized, .timeLimit(.minutes(5)))
struct `A stock gRPC client` {
    @Test(arguments: [
        "echo", "later", "more_calls_than_streams", "big_response", "error_details", "unknown_method", "metadata",
        "deadline", "cancel", "too_large", "compressed", "no_certificate", "revoked_while_open",
    ])
    func `gets what it expects of unary calls`(name: String) async throws {
        try await check("stock", name)
    }

    @Test(arguments: [
        "server_streaming", "server_streaming_cancelled", "bidirectional", "bidirectional_bulk",
        "streaming_fails_late", "streaming_deadline", "busy_calls_do_not_starve_others",
    ])
    func `gets what it expects of streaming calls`(name: String) async throws {
        try await check("stock", name)
    }

    @Test func `does not notice that connections grow old`() async throws {
        try await check("stock", "age", ["age=200"])
    }

    @Test func `that is not admitted gets nothing`() async throws {
        let server = try EchoProcess(certificates: await certificates.value, settings: ["refuse=1"])
        try await server.check("stock", "refused", isLast: true)
        #expect(server.isRunning)
    }

    @Test(arguments: ["shutdown_lets_calls_finish", "shutdown_is_bounded"])
    func `sees an orderly shutdown`(name: String) async throws {
        let server = try EchoProcess(certificates: await certificates.value, settings: [])
        try await server.check("stock", name, isLast: true)
        #expect(server.outputToEnd() == "stopped\n")
    }
}

@Suite(.serialized, .timeLimit(.minutes(5)))
struct `A client that breaks the rules` {
    @Test(arguments: [
        "content_type", "method_not_post", "bad_timeout", "deadline_enforced_by_server", "framing", "compressed",
        "too_large_is_not_read",
    ])
    func `of gRPC gets the status the specification gives`(name: String) async throws {
        try await check("hostile", name)
    }

    @Test(arguments: [
        "garbage_after_tls", "bad_preface", "no_alpn", "connection_dropped_mid_call",
        "reset_cancels", "headers_without_end", "data_on_closed_stream", "data_on_idle_stream",
        "invalid_frame_sizes", "bad_pseudo_headers", "window_overflow", "more_than_the_window",
    ])
    func `of HTTP/2 hurts only itself`(name: String) async throws {
        try await check("hostile", name)
    }

    @Test(arguments: [
        "garbage_instead_of_tls", "random_bytes_instead_of_tls", "no_certificate", "untrusted_certificate",
        "closed_at_once", "closed_within_the_hello", "reset_at_once",
    ])
    func `of TLS, or only knocks, is reported with its address and the cause`(name: String) async throws {
        try await check("hostile", name)
    }

    @Test(arguments: [
        "continuation_flood", "rapid_reset", "made_you_reset", "settings_flood", "ping_flood", "many_connections",
    ])
    func `cannot flood the server`(name: String) async throws {
        try await check("hostile", name)
    }

    @Test(arguments: [
        "slow_receiver_slows_writer", "slow_reader_slows_sender", "tiny_window", "response_blocked_until_deadline",
    ])
    func `or is slow meets flow control`(name: String) async throws {
        try await check("hostile", name)
    }

    @Test(
        arguments: [
            ("header_limit", []), ("default_deadline", ["deadline=300"]), ("buffered_limit", ["buffered=100000"]),
            ("stream_limit", ["streams=4"]), ("cancelled_calls_do_not_pile_up", ["streams=4"]),
            ("connection_limit", ["connections=2"]), ("handshake_timeout", ["handshake=2000"]),
            ("slow_headers", ["handshake=2000"]), ("idle", ["idle=1000"]),
            ("keepalive_lost", ["keepalive=500", "keepalive-timeout=500"]),
            ("keepalive_answered", ["keepalive=200", "keepalive-timeout=5000"]),
            ("age_is_announced_in_two_steps", ["age=300", "age-grace=10000"]),
            ("age_grace_is_bounded", ["age=1000", "age-grace=500"]),
        ] as [(String, [String])])
    func `meets the limit that is set`(name: String, settings: [String]) async throws {
        try await check("hostile", name, settings)
    }
}
