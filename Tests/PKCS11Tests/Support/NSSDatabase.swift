// NSS softokn's token in a new database, which has no PIN yet.

import CP11Kit
import Foundation
import PosternProtocol
import Testing

@testable import PosternPKCS11

struct NSSDatabase {
    let library: String
    let arguments: String

    /// Sets the user PIN, as the security officer, who has none.
    func setPIN(_ pin: String) throws {
        let loader = ModuleLoader(
            location: PKCS11ModuleLocation(.path(library), initArguments: arguments, isManaged: false))
        let ticket = CallTicket(deadline: soon)
        let functions = try loader.load(ticket)
        try #require(try loader.initialize(functions, ticket))
        let slots = Slots(functions: functions, ticket: ticket)
        let slot = try #require(
            try slots.list().first { try slots.info(of: $0)?.label == "NSS Certificate DB" }, "softokn has no database")
        let session = try Session.open(functions, slot: slot, forWriting: true, ticket)
        let list = functions.list.pointee
        try #require(list.C_Login(session.handle, CK_USER_TYPE(CKU_SO), nil, 0) == CKR_OK)
        var bytes = Array(pin.utf8)
        try #require(list.C_InitPIN(session.handle, &bytes, UInt(bytes.count)) == CKR_OK)
        try #require(list.C_Logout(session.handle) == CKR_OK)
        try session.close()
        // It is not finalised: copies of softokn share the libraries below, and would lose them.
    }
}
