import CFaultControl
import CP11Kit
import Foundation
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

@Suite struct ModuleTests {
    @Test func `a module works under p11-kit's management too`() async throws {
        let test = try TestToken(.softHSM, managed: true)
        let wrapper = try await test.wrapper()
        let blob = try await wrapper.wrap(SecretBytes("k"), associatedData: [], deadline: soon)
        #expect(try await wrapper.unwrap(blob, associatedData: [], deadline: soon) == SecretBytes("k"))
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/share/p11-kit/modules/softhsm2.module")))
    func `a module is found by its name in p11-kit's configuration`() async {
        // In a process of its own, since that is the system's copy of SoftHSM, and reads the environment.
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            let soft = try SoftHSM(in: folder, label: "named", pin: TestToken.pin)
            setenv(SoftHSM.variable, soft.configuration, 1)
            let pin = try folder.file("pin", TestToken.pin)
            let modules = PKCS11Modules()
            let uri = try PKCS11URI("pkcs11:token=named;object=kek?module-name=softhsm2&pin-source=file:\(pin)")
            let token = try PKCS11Token(PKCS11TokenSettings(uri), modules: modules)
            try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
            let wrapper = try PKCS11KeyWrapper(token: token, key: uri, id: "kek")
            try #require(await wrapper.health(deadline: soon) == BackendHealth(isReady: true, detail: "ok"))

            let other = try PKCS11URI("pkcs11:token=named?module-name=nobody&pin-source=file:\(pin)")
            let missing = try PKCS11Token(PKCS11TokenSettings(other), modules: modules)
            let error = await #expect(throws: SecretError.self) { try await missing.describe(deadline: soon) }
            try #require(error?.message.contains("no module named nobody") == true)
        }
    }

    @Test func `the module is told that it is called from several threads`() async throws {
        let test = try TestToken(.softHSM, faulty: true)
        _ = try await test.open().describe(deadline: soon)
        #expect(try #require(test.faults)[fault_initialize_flags] == Int(CKF_OS_LOCKING_OK))
    }

    @Test func `two names of a module have one owner, and the last to close it stops it`() async throws {
        let test = try TestToken(.softHSM, faulty: true)
        let faults = try #require(test.faults)
        let link = test.folder.path("link.so")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: faults.library)
        let modules = PKCS11Modules()
        let a = try test.open(modules)
        let settings = try PKCS11TokenSettings(
            test.uri(), module: PKCS11ModuleLocation(.path(link), isManaged: false), pin: .file(test.pinFile))
        let b = try PKCS11Token(settings, modules: modules)
        _ = try await a.describe(deadline: soon)
        _ = try await b.describe(deadline: soon)
        #expect(faults.calls(fault_Initialize) == 1)
        try await a.close(deadline: soon)
        _ = try await b.describe(deadline: soon)
        #expect(faults.calls(fault_Finalize) == 0)
        try await b.close(deadline: soon)
        #expect(faults.calls(fault_Finalize) == 1)
        #expect(faults[fault_open_sessions] == 0)
        #expect(faults[fault_hasty_finalize] == 0)
    }

    @Test func `a module cannot be used with two sets of init arguments`() throws {
        let test = try TestToken(.softHSM)
        let modules = PKCS11Modules()
        _ = try test.open(modules)
        let other = PKCS11ModuleLocation(test.module.name, initArguments: "configdir='/x'")
        let error = try #require(throws: SecretError.self) {
            try PKCS11Token(PKCS11TokenSettings(test.uri(), module: other), modules: modules)
        }
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains("different init arguments"), "\(error)")
    }

    @Test func `a module that is not there is an error, and is found when it is`() async throws {
        let test = try TestToken(.softHSM)
        guard case .path(let real) = test.module.name else { return }
        let path = test.folder.path("late.so")
        let settings = try PKCS11TokenSettings(
            test.uri(), module: PKCS11ModuleLocation(.path(path), isManaged: false), pin: .file(test.pinFile))
        let token = try PKCS11Token(settings, modules: PKCS11Modules())
        let wrapper = try PKCS11KeyWrapper(token: token, key: test.uri("object=kek"), id: "kek")
        let error = try await #require(throws: SecretError.self) {
            try await wrapper.wrap(SecretBytes("k"), associatedData: [], deadline: soon)
        }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("late.so cannot be loaded"), "\(error)")
        #expect(await wrapper.health(deadline: soon).isReady == false)
        try FileManager.default.copyItem(atPath: real, toPath: path)
        try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
        #expect(await wrapper.health(deadline: soon).isReady)
    }

    @Test(arguments: ["/etc/hostname", "/bin/true"])
    func `what is not a module is refused`(file: String) async throws {
        let test = try TestToken(.softHSM)
        try #require(FileManager.default.fileExists(atPath: file))
        let copy = try test.folder.copy(file, as: "other.so")
        for isManaged in [false, true] {
            let settings = try PKCS11TokenSettings(
                test.uri(), module: PKCS11ModuleLocation(.path(copy), isManaged: isManaged), pin: .file(test.pinFile))
            let token = try PKCS11Token(settings, modules: PKCS11Modules())
            let error = try await #require(throws: SecretError.self) { try await token.describe(deadline: soon) }
            #expect(error.code == .keyUnavailable)
        }
    }

    @Test func `a module that lacks a function is refused when it is loaded`() async throws {
        let test = try TestToken(.softHSM, faulty: true)
        try #require(test.faults)[fault_incomplete] = 1
        let error = try await #require(throws: SecretError.self) {
            try await test.open().describe(deadline: soon)
        }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains("lacks C_WrapKey"), "\(error)")
    }

    @Test func `a module that has just been initialised is not at once initialised again`() async throws {
        let test = try TestToken(.softHSM, faulty: true)
        let faults = try #require(test.faults)
        let token = try test.open(PKCS11Modules(reinitializeInterval: .seconds(3_600)))
        _ = try await token.describe(deadline: soon)
        faults[fault_broken] = 2
        for _ in 0..<5 {
            let error = try await #require(throws: SecretError.self) {
                try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
            }
            #expect(error.code == .keyUnavailable)
            #expect(error.message.contains("CKR_DEVICE_ERROR"), "\(error)")
        }
        #expect(faults.calls(fault_Initialize) == 1)
        faults[fault_broken] = 0
        try await token.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
    }

    @Test func `return values have their names, and a vendor's own their numbers`() {
        #expect(
            "\(PKCS11Error(.decrypt, ReturnValue(rawValue: CKR_ENCRYPTED_DATA_INVALID)))"
                == "C_Decrypt answered CKR_ENCRYPTED_DATA_INVALID")
        #expect("\(ReturnValue(rawValue: 0x8000_0001))" == "CKR 0x80000001")
    }

    @Test func `every known return value is of a class, and those of the caller are never tried again`() {
        var classes: [ErrorClass: Int] = [:]
        for value in ReturnValue.names.keys where value != CKR_OK {
            classes[PKCS11Error(.encrypt, ReturnValue(rawValue: value)).errorClass, default: 0] += 1
        }
        #expect(Set(classes.keys) == Set(ErrorClass.allCases))
        #expect(PKCS11Error(.encrypt, ReturnValue(rawValue: CKR_MECHANISM_INVALID)).errorClass == .caller)
        #expect(PKCS11Error(.encrypt, ReturnValue(rawValue: 0x8000_0001)).errorClass == .caller)
    }
}
