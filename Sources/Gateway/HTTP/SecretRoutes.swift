// The routes of secrets, and the parts of their answers that several share.

import Hummingbird
import PosternCore
import PosternProtocol

/// The routes of secrets.
struct SecretRoutes: Sendable {
    let gateway: Gateway
    /// The largest payload that can be written, in bytes.
    var maximumPayloadBytes = Payload.defaultMaximumBytes

    var routes: [Route] {
        [
            Route("listSecrets", .get, .fixed(RouteTable.secretsPath), .keyed(list)),
            Route("writeSecret", .post, .fixed(RouteTable.secretsPath), .keyed(write)),
            Route("describeSecret", .get, .secret(verb: nil), .keyed(describe)),
            Route("deleteSecret", .delete, .secret(verb: nil), .keyed(delete)),
            Route("listVersions", .get, .secret(verb: "versions"), .keyed(versions)),
            Route("revealSecret", .post, .secret(verb: "reveal"), .keyed(reveal)),
            Route("undeleteVersions", .post, .secret(verb: "undelete"), .keyed(undelete)),
            Route("destroyVersions", .post, .secret(verb: "destroy"), .keyed(destroy)),
            Route("removeSecret", .post, .secret(verb: "remove"), .keyed(remove)),
            Route("updateMetadata", .patch, .secret(verb: "metadata"), .keyed(updateMetadata)),
        ]
    }

    /// Versions, oldest first.
    static func write(_ versions: [VersionInfo], to json: inout AnswerJSON) {
        json.name("versions")
        json.array(versions) { json, version in
            json.object { json in
                json.member("version", version.number)
                json.member("etag", version.etag.text)
                json.member("created_at", version.createdAt.description)
                json.member("state", version.state.rawValue)
                json.member("deletes_at", version.deletesAt?.description)
            }
        }
    }

    static func answer(_ call: AdminCall, _ audited: Audited<SecretDescription>) -> Response {
        let secret = audited.value
        var json = AnswerJSON()
        json.object { json in
            json.member("name", secret.path.text)
            json.member("current_version", secret.currentVersion)
            json.member("created_at", secret.createdAt.description)
            json.member("updated_at", secret.updatedAt.description)
            json.member("max_versions", secret.metadata.maxVersions)
            json.member("delete_version_after_seconds", secret.metadata.deleteVersionAfterSeconds)
            json.member("cas_required", secret.metadata.casRequired)
            json.member("labels", secret.metadata.labels)
            write(secret.versions, to: &json)
            call.audit(audited, to: &json)
        }
        return json.response()
    }
}
