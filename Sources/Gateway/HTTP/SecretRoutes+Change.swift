// Changing secrets.

import HTTPTypes
import Hummingbird
import PosternCoding
import PosternCore
import PosternProtocol

extension SecretRoutes {
    /// `POST /admin/api/secrets`
    func write(_ call: AdminCall) async throws -> Response {
        _ = try call.query()
        let wanted = try WriteRequest(try await call.body(), maximumPayloadBytes: maximumPayloadBytes)
        let audited = try await gateway.write(
            wanted.path, wanted.payload, expecting: wanted.expectedVersion, by: call.caller,
            try call.circumstances(wanted.why))
        let version = audited.value
        var json = AnswerJSON()
        json.object { json in
            json.member("name", wanted.path.text)
            json.member("version", version.number)
            json.member("etag", version.etag.text)
            json.member("created_at", version.createdAt.description)
            call.audit(audited, to: &json)
        }
        var response = json.response(status: .created)
        response.headers[.location] = RouteTable.secretsPath + "/" + wanted.path.text
        return response
    }

    /// `DELETE /admin/api/secrets/{name}`
    func delete(_ call: AdminCall) async throws -> Response {
        let versions = try call.query(["versions"]).integers("versions")
        let path = try call.path()
        let audited = try await gateway.delete(path, versions: versions, by: call.caller, try call.circumstances())
        return Self.answer(call, path, audited)
    }

    /// `POST /admin/api/secrets/{name}:undelete`
    func undelete(_ call: AdminCall) async throws -> Response {
        let (path, versions, why) = try await Self.versions(of: call)
        let audited = try await gateway.undelete(
            path, versions: versions, by: call.caller, try call.circumstances(why))
        return Self.answer(call, path, audited)
    }

    /// `POST /admin/api/secrets/{name}:destroy`
    func destroy(_ call: AdminCall) async throws -> Response {
        let (path, versions, why) = try await Self.versions(of: call)
        let audited = try await gateway.destroy(path, versions: versions, by: call.caller, try call.circumstances(why))
        return Self.answer(call, path, audited)
    }

    /// `POST /admin/api/secrets/{name}:remove`
    func remove(_ call: AdminCall) async throws -> Response {
        _ = try call.query()
        let path = try call.path()
        var why = Why()
        if let body = try await call.body() {
            try JSONReader.read(body) { (json, name) throws(SecretError) in
                guard try why.take(name, &json) else { throw .unknownMember(name) }
            }
        }
        let audited = try await gateway.remove(path, by: call.caller, try call.circumstances(why))
        return Self.answer(call, path, audited)
    }

    /// `PATCH /admin/api/secrets/{name}:metadata`
    func updateMetadata(_ call: AdminCall) async throws -> Response {
        _ = try call.query()
        let path = try call.path()
        guard let body = try await call.body() else { throw SecretError.missingBody }
        var change = MetadataChange()
        var why = Why()
        try JSONReader.read(body) { (json, name) throws(SecretError) in
            if try why.take(name, &json) { return }
            let what = "The member \"\(shown(name))\""
            switch name {
            case "max_versions": change.maxVersions = try json.integer(what)
            case "delete_version_after_seconds": change.deleteVersionAfterSeconds = try json.integer(what)
            case "cas_required": change.casRequired = try json.boolean(what)
            case "labels":
                try json.object(what) { (json, label) throws(SecretError) in
                    let value: String? = json.null() ? nil : try json.string("The label \"\(shown(label))\"")
                    change.labels.updateValue(value, forKey: label)
                }
            default: throw .unknownMember(name)
            }
        }
        let audited = try await gateway.updateMetadata(path, change, by: call.caller, try call.circumstances(why))
        return Self.answer(call, audited)
    }

    /// The versions that a body names, for what can be done to several.
    private static func versions(of call: AdminCall) async throws -> (SecretPath, [Int], Why) {
        _ = try call.query()
        let path = try call.path()
        guard let body = try await call.body() else { throw SecretError.missingBody }
        var versions: [Int] = []
        var why = Why()
        try JSONReader.read(body) { (json, name) throws(SecretError) in
            if try why.take(name, &json) { return }
            guard name == "versions" else { throw .unknownMember(name) }
            try json.array("The member \"versions\"") { (json) throws(SecretError) in
                versions.append(try json.integer("Each element of the member \"versions\""))
            }
        }
        guard !versions.isEmpty else { throw SecretError.missingMember("versions", ": at least one version's number") }
        return (path, versions, why)
    }

    private static func answer(_ call: AdminCall, _ path: SecretPath, _ audited: Audited<Void>) -> Response {
        var json = AnswerJSON()
        json.object { json in
            json.member("name", path.text)
            call.audit(audited, to: &json)
        }
        return json.response()
    }
}

extension SecretError {
    static let missingBody = SecretError(.invalidArgument, "The request needs a JSON object as its body.")
}

/// The body of a write.
struct WriteRequest {
    let path: SecretPath
    let payload: Payload
    let expectedVersion: Int?
    let why: Why

    init(_ body: SecretBytes?, maximumPayloadBytes: Int) throws(SecretError) {
        guard let body else { throw .missingBody }
        var name: String?
        var fields: [Payload.Field] = []
        var sources: [String] = []
        var expected: Int?
        var why = Why()
        try JSONReader.read(body) { (json, member) throws(SecretError) in
            if try why.take(member, &json) { return }
            let what = "The member \"\(shown(member))\""
            switch member {
            case "name": name = try json.string(what)
            case "expected_version": expected = try json.integer(what)
            case "value", "value_base64", "fields":
                sources.append(member)
                try Self.take(member, what, &json, into: &fields)
            default: throw .unknownMember(member)
            }
        }
        guard let name else { throw .missingMember("name") }
        guard sources.count == 1 else {
            throw SecretError(
                .invalidArgument,
                "The body needs exactly one of the members \"value\", \"value_base64\" and \"fields\".")
        }
        if let expected, expected < 0 {
            throw SecretError(.invalidArgument, "The member \"expected_version\" must not be negative; 0 means none.")
        }
        self.path = try SecretPath(name)
        self.payload = try Payload(fields, maximumBytes: maximumPayloadBytes)
        self.expectedVersion = expected
        self.why = why
    }

    private static func take(
        _ member: String, _ what: String, _ json: inout JSONReader, into fields: inout [Payload.Field]
    ) throws(SecretError) {
        switch member {
        case "value": fields.append(.init(name: Payload.valueField, value: try json.secret(what)))
        case "value_base64":
            fields.append(.init(name: Payload.valueField, value: try Base64.decode(try json.secret(what), what)))
        default:
            var found: [Payload.Field] = []
            try json.object(what) { (json, name) throws(SecretError) in
                let field = "The field \"\(shown(name))\""
                found.append(.init(name: name, value: try value(&json, field)))
            }
            fields += found
        }
    }

    /// A field's value: text, or `{"base64": "…"}`.
    private static func value(_ json: inout JSONReader, _ what: String) throws(SecretError) -> SecretBytes {
        guard json.isAtObject else { return try json.secret(what) }
        var value: SecretBytes?
        try json.object(what) { (json, name) throws(SecretError) in
            guard name == "base64" else {
                throw SecretError(.invalidArgument, "\(what) must be a string or an object with the member \"base64\".")
            }
            value = try Base64.decode(try json.secret(what), what)
        }
        guard let value else {
            throw SecretError(.invalidArgument, "\(what) must be a string or an object with the member \"base64\".")
        }
        return value
    }
}
