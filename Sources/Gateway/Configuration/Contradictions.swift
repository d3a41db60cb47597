// Settings that are each allowed but do not go together.

extension GatewayConfiguration {
    /// What contradicts what.
    /// - Parameter isDevelopment: whether connections that nobody verifies are accepted.
    func contradictions(isDevelopment: Bool) -> [ConfigurationProblems.Problem] {
        var problems: [ConfigurationProblems.Problem] = []
        func check(_ holds: Bool, _ key: String, _ message: String) {
            if !holds { problems.append(ConfigurationProblems.Problem(place: "", key: key, message: message)) }
        }
        check(
            admin.key != nil || !admin.keys.isEmpty, AdminSettings.key.key,
            "there is no admin key; set ADMIN_KEY in the environment, or list hashes in admin.keys.")
        check(
            grpc.listen.port == 0 || grpc.listen != admin.listen, AdminSettings.listen.key,
            "it is the same address as grpc.listen; the front ends need one each.")
        check(
            grpc.key != .file(grpc.certificate), GRPCSettings.key.key,
            "it is the same file as grpc.certificate; keep the key in a file of its own, readable by its owner only.")
        check(
            admin.keyFile != .file(admin.certificate), AdminSettings.keyFile.key,
            "it is the same file as admin.certificate; keep the key in a file of its own, readable by its owner only.")
        check(
            grpc.defaultDeadline <= limits.maxDeadline, GRPCSettings.defaultDeadline.key,
            "it is longer than limits.max_deadline allows.")
        check(
            grpc.maxMessageBytes > limits.maxPayloadBytes, GRPCSettings.maxMessageBytes.key,
            "it must be more than limits.max_payload_bytes, or the largest secrets cannot be written.")
        // A body carries values in Base64, which makes four bytes of three.
        check(
            admin.maxBodyBytes > (limits.maxPayloadBytes + 2) / 3 * 4, AdminSettings.maxBodyBytes.key,
            "it must be more than 4/3 of limits.max_payload_bytes, or the largest secrets cannot be written.")
        for sink in audit.sinks {
            let contradiction = sink.contradiction
            check(contradiction == nil, AuditSettings.sinks.key, "the sink \"\(sink.name)\" \(contradiction ?? "")")
        }
        if usesVault {
            backend.vault.contradictions(isDevelopment: isDevelopment, check)
        }
        if cache.enabled {
            check(
                cache.refreshAhead < cache.ttl, CacheSettings.refreshAhead.key, "it must be shorter than cache.ttl.")
            check(
                cache.maxBytes >= limits.maxPayloadBytes, CacheSettings.maxBytes.key,
                "it must be at least limits.max_payload_bytes, or the largest secrets are never cached.")
        }
        return problems
    }

    /// Whether anything is in Vault: secrets or keys.
    public var usesVault: Bool {
        backend.kind == .vault || envelope.enabled && envelope.keys.contains { $0.origin == .transit }
    }
}
