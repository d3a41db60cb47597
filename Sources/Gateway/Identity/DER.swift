// Small helpers on DER.

import SwiftASN1

/// The serial number and issuer's name in a DER certificate, byte for byte: a re-encoding could pick other
/// string types, and the name would no longer equal the one in the issuer's revocation list.
/// - Throws: an ASN.1 error if the bytes are no certificate (RFC 5280 §4.1), or the serial number is negative:
///   RFC 5280 §4.1.2.2 forbids that, and libraries disagree on how to read one, so it could not be revoked reliably.
func serialAndIssuer(inCertificate der: [UInt8]) throws -> (serial: [UInt8], issuer: [UInt8]) {
    try DER.sequence(try DER.parse(der), identifier: .sequence) { nodes in
        guard let tbs = nodes.next() else { throw ASN1Error.invalidASN1Object(reason: "an empty certificate") }
        while nodes.next() != nil {}
        return try DER.sequence(tbs, identifier: .sequence) { fields in
            var field = fields.next()
            // The version is explicit only from v2 on.
            if field?.identifier == ASN1Identifier(tagWithNumber: 0, tagClass: .contextSpecific) {
                field = fields.next()
            }
            // The signature algorithm lies between the serial number and the issuer.
            guard case .primitive(let serial) = field?.content, fields.next() != nil, let issuer = fields.next() else {
                throw ASN1Error.invalidASN1Object(reason: "a certificate without serial number or issuer")
            }
            guard serial.first.map({ $0 < 0x80 }) == true else {
                throw ASN1Error.invalidASN1Object(reason: "a serial number that is not positive")
            }
            while fields.next() != nil {}
            return (Array(serial.drop { $0 == 0 }), Array(issuer.encodedBytes))
        }
    }
}
