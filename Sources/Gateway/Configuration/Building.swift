// Fills the typed structures from the settings.

extension GatewayConfiguration {
    init(_ values: Values) throws(ConfigurationProblems) {
        grpc = try GRPC(values)
        admin = try Admin(values)
        backend = try Backend(values)
        envelope = try Envelope(values)
        migrationTarget = values.find(MigrationSettings.to).map(values.resolve)
        cache = try Cache(values)
        policyFile = try values.get(PolicySettings.file)
        audit = try Audit(values)
        limits = try Limits(values)
        log = try Log(values)
        shutdownGrace = try values.get(ShutdownSettings.grace)
    }
}

extension GatewayConfiguration.GRPC {
    init(_ values: Values) throws(ConfigurationProblems) {
        listen = try values.get(GRPCSettings.listen)
        certificate = try values.get(GRPCSettings.certificate)
        key = try values.get(GRPCSettings.key)
        clientCA = try values.get(GRPCSettings.clientCA)
        crl = try values.get(GRPCSettings.crl).map(values.resolve)
        crlAllowExpired = try values.get(GRPCSettings.crlAllowExpired)
        denyList = values.find(GRPCSettings.denyList).map(values.resolve)
        minimumTLS = try values.get(GRPCSettings.minimumTLS)
        allowCommonName = try values.get(GRPCSettings.allowCommonName)
        maxConnections = try values.get(GRPCSettings.maxConnections)
        maxStreams = try values.get(GRPCSettings.maxStreams)
        maxMessageBytes = try values.get(GRPCSettings.maxMessageBytes)
        maxHeaderBytes = try values.get(GRPCSettings.maxHeaderBytes)
        handshakeTimeout = try values.get(GRPCSettings.handshakeTimeout)
        idleTimeout = try values.get(GRPCSettings.idleTimeout)
        keepaliveInterval = try values.get(GRPCSettings.keepaliveInterval)
        keepaliveTimeout = try values.get(GRPCSettings.keepaliveTimeout)
        let age = try values.get(GRPCSettings.maxConnectionAge)
        maxConnectionAge = age == .zero ? nil : age
        defaultDeadline = try values.get(GRPCSettings.defaultDeadline)
        reflection = try values.get(GRPCSettings.reflection)
        let count = try values.get(GRPCSettings.threads)
        threads = count == 0 ? nil : count
    }
}

extension GatewayConfiguration.Admin {
    init(_ values: Values) throws(ConfigurationProblems) {
        listen = try values.get(AdminSettings.listen)
        certificate = try values.get(AdminSettings.certificate)
        keyFile = try values.get(AdminSettings.keyFile)
        key = values.find(AdminSettings.key)
        keys = try values.get(AdminSettings.keys)
        allowedOrigins = try values.get(AdminSettings.allowedOrigins)
        maxBodyBytes = try values.get(AdminSettings.maxBodyBytes)
        requestTimeout = try values.get(AdminSettings.requestTimeout)
        maxFailuresPerMinute = try values.get(AdminSettings.maxFailuresPerMinute)
        minimumTLS = try values.get(AdminSettings.minimumTLS)
    }
}

extension GatewayConfiguration.Backend {
    init(_ values: Values) throws(ConfigurationProblems) {
        kind = try values.get(BackendSettings.kind)
        sqlitePath = try values.get(BackendSettings.sqlitePath)
        vault = try GatewayConfiguration.Vault(values)
    }
}

extension GatewayConfiguration.Envelope {
    init(_ values: Values) throws(ConfigurationProblems) {
        enabled = try values.get(EnvelopeSettings.enabled)
        let listed = try values.get(EnvelopeSettings.keys).map { key in
            key.origin == .file
                ? KeySetting(origin: .file, value: values.resolve(WrittenPath(text: key.value))) : key
        }
        let keyFile = try values.get(EnvelopeSettings.keyFile)
        keys = listed.isEmpty ? [KeySetting(origin: .file, value: keyFile)] : listed
        keyCache = try values.get(EnvelopeSettings.keyCache)
        let interval = try values.get(EnvelopeSettings.verifyInterval)
        verifyInterval = interval == .zero ? nil : interval
        let age = try values.get(EnvelopeSettings.rotateAfter)
        rotateAfter = age == .zero ? nil : age
        reencryptRate = try values.get(EnvelopeSettings.reencryptRate)
    }
}

extension GatewayConfiguration.Cache {
    init(_ values: Values) throws(ConfigurationProblems) {
        enabled = try values.get(CacheSettings.enabled)
        maxSecrets = try values.get(CacheSettings.maxSecrets)
        maxBytes = try values.get(CacheSettings.maxBytes)
        ttl = try values.get(CacheSettings.ttl)
        refreshAhead = try values.get(CacheSettings.refreshAhead)
        maxStale = try values.get(CacheSettings.maxStale)
    }
}

extension GatewayConfiguration.Audit {
    init(_ values: Values) throws(ConfigurationProblems) {
        directory = try values.get(AuditSettings.directory)
        segmentBytes = try values.get(AuditSettings.segmentBytes)
        origin = values.find(AuditSettings.origin)
        signingKey = values.find(AuditSettings.signingKey).map(values.resolve)
        checkpointInterval = try values.get(AuditSettings.checkpointInterval)
        let retention = try values.get(AuditSettings.retention)
        self.retention = retention == .zero ? nil : retention
        legalHold = try values.get(AuditSettings.legalHold)
        sinks = try values.get(AuditSettings.sinks).map { $0.resolved(values.resolve) }
    }
}

extension GatewayConfiguration.Limits {
    init(_ values: Values) throws(ConfigurationProblems) {
        maxPayloadBytes = try values.get(LimitSettings.maxPayloadBytes)
        maxDeadline = try values.get(LimitSettings.maxDeadline)
    }
}

extension GatewayConfiguration.Log {
    init(_ values: Values) throws(ConfigurationProblems) {
        level = try values.get(LogSettings.level)
        format = try values.get(LogSettings.format)
    }
}
