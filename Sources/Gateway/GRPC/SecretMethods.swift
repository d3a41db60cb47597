// SecretService: each method decodes, asks the pipeline, encodes. Nothing is decided here.

import Foundation
import PosternCore
import PosternGRPCTransport
import PosternProtocol
import PosternWire

/// The methods of postern.v1.SecretService.
struct SecretMethods: Sendable {
    let gateway: Gateway
    let calls: CallAdapter
    let maximumPayloadBytes: Int

    /// The methods by their full name.
    var methods: [String: RPCMethod] {
        let service = "/postern.v1.SecretService"
        return [
            "\(service)/Get": calls.unary(get),
            "\(service)/BatchGet": calls.unary(batchGet),
            "\(service)/List": calls.serverStreaming(list),
            "\(service)/Describe": calls.unary(describe),
            "\(service)/Put": calls.unary(put),
            "\(service)/UpdateMetadata": calls.unary(updateMetadata),
            "\(service)/Delete": calls.unary(delete),
            "\(service)/Undelete": calls.unary(undelete),
            "\(service)/Destroy": calls.unary(destroy),
            "\(service)/Remove": calls.unary(remove),
        ]
    }

    private func get(
        _ request: Postern_V1_GetRequest, _ call: Call
    ) async throws(CallFailure) -> Postern_V1_GetResponse {
        let path = try call.parse { () throws(SecretError) in try SecretPath(request.path) }
        let version = try call.parse { () throws(SecretError) in try WireVersion.optional(request.version) }
        let secret = try await call.audited { () async throws(AuditedError) in
            try await gateway.read(path, version: version, by: call.caller, call.context)
        }
        return Postern_V1_GetResponse(
            secret.value, audit: call.audit(secret.auditIndex), ifNoneMatch: request.ifNoneMatch)
    }

    private func batchGet(
        _ request: Postern_V1_BatchGetRequest, _ call: Call
    ) async throws(CallFailure) -> Postern_V1_BatchGetResponse {
        let paths = try call.parse { () throws(SecretError) in
            var paths: [SecretPath] = []
            for text in request.paths { paths.append(try SecretPath(text)) }
            return paths
        }
        let results = try await call.audited { () async throws(AuditedError) in
            try await gateway.batchRead(paths, by: call.caller, call.context)
        }
        var response = Postern_V1_BatchGetResponse()
        for (path, result) in zip(paths, results) {
            var item = Postern_V1_BatchGetResponse.Item()
            switch result {
            case .success(let secret):
                item.secret = Postern_V1_GetResponse(secret.value, audit: call.audit(secret.auditIndex))
            case .failure(let failure):
                item.error.path = path.text
                item.error.code = failure.error.code.rawValue
                item.error.message = failure.error.message
                if let index = failure.auditIndex { item.error.audit = call.audit(index) }
            }
            response.items.append(item)
        }
        return response
    }

    private func list(
        _ request: Postern_V1_ListRequest, _ call: Call,
        _ send: (Postern_V1_ListResponse) async throws(CallFailure) -> Void
    ) async throws(CallFailure) {
        var query = try call.parse { () throws(SecretError) in
            try ListQuery(
                prefix: try PathPrefix(request.prefix), recursive: request.recursive,
                after: request.after.isEmpty ? nil : request.after,
                limit: request.pageSize == 0 ? 100 : Int(request.pageSize))
        }
        var pages: UInt32 = 0
        while true {
            let asked = query
            let page = try await call.audited { () async throws(AuditedError) in
                try await gateway.list(asked, by: call.caller, call.context)
            }
            var response = Postern_V1_ListResponse()
            response.entries = page.value.entries.map(Postern_V1_ListResponse.Entry.init)
            response.next = page.value.next ?? ""
            response.audit = call.audit(page.auditIndex)
            try await send(response)
            pages += 1
            guard let next = page.value.next, request.maxPages == 0 || pages < request.maxPages else { return }
            query = try call.parse { () throws(SecretError) in
                try ListQuery(prefix: asked.prefix, recursive: asked.recursive, after: next, limit: asked.limit)
            }
        }
    }

    private func describe(
        _ request: Postern_V1_DescribeRequest, _ call: Call
    ) async throws(CallFailure) -> Postern_V1_DescribeResponse {
        let path = try call.parse { () throws(SecretError) in try SecretPath(request.path) }
        let secret = try await call.audited { () async throws(AuditedError) in
            try await gateway.describe(path, by: call.caller, call.context)
        }
        var response = Postern_V1_DescribeResponse()
        response.secret = Postern_V1_SecretDescription(secret.value)
        response.audit = call.audit(secret.auditIndex)
        return response
    }

    private func put(
        _ request: Postern_V1_PutRequest, _ call: Call
    ) async throws(CallFailure) -> Postern_V1_PutResponse {
        let path = try call.parse { () throws(SecretError) in try SecretPath(request.path) }
        let payload = try call.parse { () throws(SecretError) in
            try Payload(request.fields, maximumBytes: maximumPayloadBytes)
        }
        let expecting = try call.parse { () throws(SecretError) in
            request.hasExpectedVersion ? try WireVersion.expected(request.expectedVersion) : nil
        }
        let written = try await call.audited { () async throws(AuditedError) in
            try await gateway.write(path, payload, expecting: expecting, by: call.caller, call.context)
        }
        var response = Postern_V1_PutResponse()
        response.version = Postern_V1_VersionInfo(written.value)
        response.audit = call.audit(written.auditIndex)
        return response
    }

    private func updateMetadata(
        _ request: Postern_V1_UpdateMetadataRequest, _ call: Call
    ) async throws(CallFailure) -> Postern_V1_UpdateMetadataResponse {
        let path = try call.parse { () throws(SecretError) in try SecretPath(request.path) }
        let change = try call.parse { () throws(SecretError) in try MetadataChange(request) }
        let secret = try await call.audited { () async throws(AuditedError) in
            try await gateway.updateMetadata(path, change, by: call.caller, call.context)
        }
        var response = Postern_V1_UpdateMetadataResponse()
        response.secret = Postern_V1_SecretDescription(secret.value)
        response.audit = call.audit(secret.auditIndex)
        return response
    }

    private func delete(
        _ request: Postern_V1_DeleteRequest, _ call: Call
    ) async throws(CallFailure) -> Postern_V1_DeleteResponse {
        let (path, versions) = try target(request.path, request.versions, call)
        let done = try await call.audited { () async throws(AuditedError) in
            try await gateway.delete(path, versions: versions, by: call.caller, call.context)
        }
        var response = Postern_V1_DeleteResponse()
        response.audit = call.audit(done.auditIndex)
        return response
    }

    private func undelete(
        _ request: Postern_V1_UndeleteRequest, _ call: Call
    ) async throws(CallFailure) -> Postern_V1_UndeleteResponse {
        let (path, versions) = try target(request.path, request.versions, call)
        let done = try await call.audited { () async throws(AuditedError) in
            try await gateway.undelete(path, versions: versions, by: call.caller, call.context)
        }
        var response = Postern_V1_UndeleteResponse()
        response.audit = call.audit(done.auditIndex)
        return response
    }

    private func destroy(
        _ request: Postern_V1_DestroyRequest, _ call: Call
    ) async throws(CallFailure) -> Postern_V1_DestroyResponse {
        let (path, versions) = try target(request.path, request.versions, call)
        let done = try await call.audited { () async throws(AuditedError) in
            try await gateway.destroy(path, versions: versions, by: call.caller, call.context)
        }
        var response = Postern_V1_DestroyResponse()
        response.audit = call.audit(done.auditIndex)
        return response
    }

    private func remove(
        _ request: Postern_V1_RemoveRequest, _ call: Call
    ) async throws(CallFailure) -> Postern_V1_RemoveResponse {
        let path = try call.parse { () throws(SecretError) in try SecretPath(request.path) }
        let done = try await call.audited { () async throws(AuditedError) in
            try await gateway.remove(path, by: call.caller, call.context)
        }
        var response = Postern_V1_RemoveResponse()
        response.audit = call.audit(done.auditIndex)
        return response
    }

    private func target(
        _ path: String, _ versions: [UInt64], _ call: Call
    ) throws(CallFailure) -> (SecretPath, [Int]) {
        try call.parse { () throws(SecretError) in (try SecretPath(path), try WireVersion.list(versions)) }
    }
}
