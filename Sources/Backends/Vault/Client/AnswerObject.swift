// Vault puts what was asked for into an object within its answer: `data`, or `auth` for logins.

import PosternCoding
import PosternProtocol

extension VaultAnswer {
    /// Reads the members of an object that is a member of the answer; none if it is not there.
    /// - Throws: `backend_unavailable` if the answer makes no sense.
    func read(
        in object: String, _ member: (inout JSONReader, String) throws(SecretError) -> Void
    ) throws(SecretError) {
        try read { (json, name) throws(SecretError) in
            if name == object, json.isAtObject {
                try json.object(object, member)
            } else {
                _ = try json.raw("A member")
            }
        }
    }
}
