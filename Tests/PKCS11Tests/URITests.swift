import PosternPKCS11
import PosternProtocol
import Testing

@Suite struct URITests {
    @Test func `every attribute is read`() throws {
        let uri = try PKCS11URI(
            "pkcs11:token=The%20Software;manufacturer=Snake%20Oil%2C%20Inc.;model=1.0;serial=42ab;object=kek-1;"
                + "id=%01%ff%41;type=secret-key;slot-id=7;slot-description=s;slot-manufacturer=m;"
                + "library-manufacturer=l;library-description=d;library-version=2.6"
                + "?module-path=/usr/lib/x.so&module-name=x&pin-source=file:/run/pin")
        #expect(uri.attributes[.token] == "The Software")
        #expect(uri.attributes[.manufacturer] == "Snake Oil, Inc.")
        #expect(uri.attributes[.serial] == "42ab")
        #expect(uri.attributes[.libraryVersion] == "2.6")
        #expect(uri.attributes.count == 9)
        #expect(uri.object == "kek-1")
        #expect(uri.id == [1, 0xFF, 0x41])
        #expect(uri.type == .secretKey)
        #expect(uri.slotID == 7)
        #expect(uri.modulePath == "/usr/lib/x.so")
        #expect(uri.moduleName == "x")
        #expect(uri.pinSource == .file("/run/pin"))
    }

    // The examples of RFC 7512 §3, but for those with a PIN in them.
    @Test(arguments: [
        "pkcs11:",
        "pkcs11:object=my-pubkey;type=public",
        "pkcs11:object=my-key;type=private?pin-source=file:/etc/token",
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;"
            + "object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial=?pin-source=file:/etc/token_pin",
        "pkcs11:object=my-sign-key;type=private?module-name=mypkcs11",
        "pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1",
        "pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.",
        "pkcs11:slot-description=Sun%20Metaslot",
        "pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;library-version=1.23",
        "pkcs11:token=My%20token%25%20created%20by%20Joe;library-version=3;id=%01%02%03%Ba%dd%Ca%fe%04%05%06",
        "pkcs11:token=A%20name%20with%20a%20substring%20%25%3B;object=my-certificate;type=cert",
        "pkcs11:token=Name%20with%20a%20small%20A%20with%20acute:%20%C3%A1;object=my-certificate;type=cert",
    ])
    func `the specification's examples are read`(text: String) throws {
        let uri = try PKCS11URI(text)
        // What is written reads the same.
        let again = try PKCS11URI(uri.description)
        #expect(again.description == uri.description)
        #expect(again.attributes == uri.attributes && again.id == uri.id && again.object == uri.object)
    }

    @Test(arguments: [
        ("", "starts with `pkcs11:`"), ("token=x", "starts with `pkcs11:`"),
        ("pkcs12:token=x", "starts with `pkcs11:`"),
        ("pkcs11:token", "as in `token=name`"), ("pkcs11:=x", "as in `token=name`"), ("pkcs11:token=x;", "as in"),
        ("pkcs11:;token=x", "as in"), ("pkcs11:token=x;token=y", "`token` twice"),
        ("pkcs11:token=x?module-path=/a&module-path=/b", "`module-path` twice"), ("pkcs11:to ken=x", "only letters"),
        ("pkcs11:token=a b", "written as `%20`"), ("pkcs11:token=a\u{E1}", "written as `%20`"),
        ("pkcs11:token=a/b", "written as `%20`"), ("pkcs11:token=a#b", "written as `%20`"),
        ("pkcs11:token=%", "two hex digits"), ("pkcs11:token=%4", "two hex digits"), ("pkcs11:token=%4g", "two hex"),
        ("pkcs11:token=%ff", "not UTF-8"), ("pkcs11:token=a%00b", "not UTF-8"), ("pkcs11:type=key", "`type` is one of"),
        ("pkcs11:slot-id=x", "decimal"), ("pkcs11:slot-id=-1", "decimal"), ("pkcs11:tokens=x", "not known"),
        ("pkcs11:token=x?tokens=y", "not known"), ("pkcs11:module-path=%2fa", "behind a `?`"),
        ("pkcs11:token=x?module-path=a.so", "absolute path"), ("pkcs11:token=x?pin-source=pin", "`pin-source` is"),
        ("pkcs11:token=x?pin-source=https://h/p", "`pin-source` is"), ("pkcs11:?pin-source=file://host/p", "is `file:"),
        ("pkcs11:token=x?pin-source=%7Ccat", "absolute path of a program"), ("pkcs11:?pin-source=|", "of a program"),
    ])
    func `what is not such a URI is refused, and the error says why`(text: String, why: String) throws {
        let error = try #require(throws: SecretError.self) { try PKCS11URI(text) }
        #expect(error.code == .invalidArgument)
        #expect(error.message.contains(why), "\(error)")
    }

    @Test(arguments: ["pkcs11:token=x?pin-value=1234secret", "pkcs11:token=x;pin-value=1234secret"])
    func `a PIN in a URI is refused, and not repeated`(text: String) throws {
        let error = try #require(throws: SecretError.self) { try PKCS11URI(text) }
        #expect(error.code == .invalidArgument)
        #expect(!error.message.contains("1234secret"))
    }

    @Test func `the error for a PIN in a URI says where to put it instead`() throws {
        let error = try #require(throws: SecretError.self) { try PKCS11URI("pkcs11:token=x?pin-value=1") }
        #expect(error.message.contains("pin-source=file:"))
    }

    @Test(arguments: [
        ("file:/run/pin", PINSource.file("/run/pin")), ("file:///run/pin", .file("/run/pin")),
        ("/run/pin", .file("/run/pin")), ("env:HSM_PIN", .environment("HSM_PIN")),
        ("%7C/usr/bin/pin%20--for%20a", .command(["/usr/bin/pin", "--for", "a"])),
        ("|/usr/bin/pin", .command(["/usr/bin/pin"])),
    ])
    func `PIN sources are read`(text: String, source: PINSource) throws {
        #expect(try PKCS11URI("pkcs11:token=x?pin-source=\(text)").pinSource == source)
    }

    @Test func `settings want a module and a token`() throws {
        for (text, why) in [
            ("pkcs11:token=x", "names no PKCS#11 module"), ("pkcs11:object=k?module-path=/a.so", "which token"),
        ] {
            let uri = try PKCS11URI(text)
            let error = try #require(throws: SecretError.self) { try PKCS11TokenSettings(uri) }
            #expect(error.code == .invalidArgument)
            #expect(error.message.contains(why), "\(error)")
        }
    }
}
