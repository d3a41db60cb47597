// The one place that touches libcrypto: owns a parsed revocation list for as long as it is read.

import CLibCrypto
import Glibc
import PosternProtocol
import SwiftASN1

/// A revocation list as libcrypto parsed it. Used on one thread, while a file is loaded.
@safe
final class ParsedCRL {
    private let list: OpaquePointer

    /// Parses DER; nil if it is not one list and nothing else.
    init?(der: [UInt8]) {
        let parsed = unsafe der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
            var cursor = bytes.baseAddress
            guard let list = unsafe d2i_X509_CRL(nil, &cursor, bytes.count) else { return nil }
            guard let start = bytes.baseAddress, let cursor = unsafe cursor, unsafe cursor - start == bytes.count
            else {
                unsafe X509_CRL_free(list)
                return nil
            }
            return unsafe list
        }
        // A failed parse leaves entries in the thread's error queue that the next reader would mistake for its own.
        ERR_clear_error()
        guard let parsed = unsafe parsed else { return nil }
        unsafe list = parsed
    }

    deinit {
        unsafe X509_CRL_free(list)
    }

    /// The issuer's name as people write it.
    var issuerText: String {
        guard let text = unsafe X509_NAME_oneline(X509_CRL_get_issuer(list), nil, 0) else { return "an unnamed CA" }
        defer { unsafe CRYPTO_free(text, #file, #line) }
        return unsafe String(cString: text)
    }

    /// The issuer's name in DER.
    var issuerDER: [UInt8] {
        var buffer: UnsafeMutablePointer<UInt8>?
        let length = unsafe i2d_X509_NAME(X509_CRL_get_issuer(list), &buffer)
        defer { unsafe CRYPTO_free(buffer, #file, #line) }
        guard length > 0, let start = unsafe buffer else { return [] }
        return unsafe [UInt8](UnsafeBufferPointer(start: start, count: Int(length)))
    }

    /// When it was issued.
    var thisUpdate: Timestamp? { unsafe timestamp(X509_CRL_get0_lastUpdate(list)) }

    /// When the next one is due.
    var nextUpdate: Timestamp? { unsafe timestamp(X509_CRL_get0_nextUpdate(list)) }

    /// Whether its issuer is the subject of a certificate, names compared as RFC 5280 §7.1 says.
    func isIssued(by certificate: [UInt8]) -> Bool {
        unsafe withCertificate(certificate) {
            unsafe X509_NAME_cmp(X509_get_subject_name($0), X509_CRL_get_issuer(list)) == 0
        }
    }

    /// Whether the key of a certificate made its signature.
    func verifies(withKeyOf certificate: [UInt8]) -> Bool {
        unsafe withCertificate(certificate) { unsafe X509_CRL_verify(list, X509_get0_pubkey($0)) == 1 }
    }

    /// Why the list cannot be used, if it cannot: a list that is not understood whole must not be relied upon
    /// (RFC 5280 §5.2).
    func unusableExtension() -> String? {
        for index in 0..<max(0, unsafe X509_CRL_get_ext_count(list)) {
            guard let item = unsafe X509_CRL_get_ext(list, index) else { continue }
            switch unsafe OBJ_obj2nid(X509_EXTENSION_get_object(item)) {
            case NID_delta_crl: return "is a delta list; give complete lists only."
            case NID_issuing_distribution_point:
                guard unsafe isDirect(item) else { return "is an indirect list, which is not supported." }
            default:
                guard unsafe X509_EXTENSION_get_critical(item) == 0 else {
                    return "has a critical extension that is not understood."
                }
            }
        }
        return nil
    }

    /// The revoked serial numbers, or nil if an entry is malformed or not understood.
    func revoked() -> [[UInt8]: Timestamp]? {
        let entries = unsafe X509_CRL_get_REVOKED(list)
        let count = unsafe OPENSSL_sk_num(entries)
        guard count > 0 else { return [:] }
        var found: [[UInt8]: Timestamp] = [:]
        found.reserveCapacity(Int(count))
        for index in 0..<count {
            guard let raw = unsafe OPENSSL_sk_value(entries, index) else { return nil }
            let entry = OpaquePointer(raw)
            guard let serial = unsafe X509_REVOKED_get0_serialNumber(entry),
                let date = unsafe timestamp(X509_REVOKED_get0_revocationDate(entry))
            else { return nil }
            // A critical extension on an entry can change whose certificate it revokes (RFC 5280 §5.3.3).
            for position in 0..<max(0, unsafe X509_REVOKED_get_ext_count(entry)) {
                let item = unsafe X509_REVOKED_get_ext(entry, position)
                guard unsafe X509_EXTENSION_get_critical(item) == 0 else { return nil }
            }
            guard let start = unsafe ASN1_STRING_get0_data(serial) else { return nil }
            let bytes = unsafe UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(serial)))
            unsafe found[Array(bytes.drop { $0 == 0 })] = date
        }
        return found
    }

    /// Whether an issuingDistributionPoint extension (RFC 5280 §5.2.5) leaves `indirectCRL`, field 4, false.
    private func isDirect(_ item: OpaquePointer) -> Bool {
        guard let value = unsafe X509_EXTENSION_get_data(item), let start = unsafe ASN1_STRING_get0_data(value) else {
            return false
        }
        let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(value))))
        do {
            return try DER.sequence(try DER.parse(bytes), identifier: .sequence) { fields in
                var direct = true
                while let field = fields.next() {
                    if field.identifier == ASN1Identifier(tagWithNumber: 4, tagClass: .contextSpecific) {
                        direct = false
                    }
                }
                return direct
            }
        } catch {
            return false
        }
    }

    private func withCertificate(_ der: [UInt8], _ body: (OpaquePointer) -> Bool) -> Bool {
        defer { ERR_clear_error() }
        return unsafe der.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            guard let certificate = unsafe d2i_X509(nil, &cursor, bytes.count) else { return false }
            defer { unsafe X509_free(certificate) }
            return unsafe body(certificate)
        }
    }

    private func timestamp(_ time: UnsafePointer<ASN1_TIME>?) -> Timestamp? {
        var parts = unsafe tm()
        // Without a time libcrypto would give the time now.
        guard let time = unsafe time, unsafe ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return unsafe Timestamp(seconds: Int64(timegm(&parts)))
    }
}

/// Whether two names in DER are the same name as RFC 5280 §7.1 compares them: case and string types aside.
func isSameName(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    if a == b { return true }
    defer { ERR_clear_error() }
    guard let left = unsafe parsedName(a) else { return false }
    defer { unsafe X509_NAME_free(left) }
    guard let right = unsafe parsedName(b) else { return false }
    defer { unsafe X509_NAME_free(right) }
    return unsafe X509_NAME_cmp(left, right) == 0
}

private func parsedName(_ der: [UInt8]) -> OpaquePointer? {
    unsafe der.withUnsafeBufferPointer { bytes in
        var cursor = bytes.baseAddress
        return unsafe d2i_X509_NAME(nil, &cursor, bytes.count)
    }
}
