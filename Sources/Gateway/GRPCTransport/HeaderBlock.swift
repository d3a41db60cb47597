// Response headers as libnghttp2 takes them.

import CNGHTTP2

/// A few headers with their bytes in one array.
struct HeaderBlock {
    private var bytes: [UInt8] = []
    private var fields: [(nameLength: Int, valueLength: Int, flags: UInt8)] = []

    /// Adds a header.
    /// - Parameter isIndexed: whether the HPACK table may keep it; not for values that are unlikely to come again.
    mutating func add(_ name: String, _ value: some Collection<UInt8>, isIndexed: Bool = true) {
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: value)
        let flags = isIndexed ? NGHTTP2_NV_FLAG_NONE.rawValue : NGHTTP2_NV_FLAG_NO_INDEX.rawValue
        fields.append((name.utf8.count, value.count, UInt8(flags)))
    }

    /// Lends the headers; libnghttp2 copies what it needs.
    func withHeaders(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> Void) {
        unsafe bytes.withUnsafeBufferPointer { bytes in
            guard let start = unsafe bytes.baseAddress.map(UnsafeMutablePointer.init(mutating:)) else { return }
            var position = unsafe start
            let headers = unsafe fields.map { field in
                defer { unsafe position += field.nameLength + field.valueLength }
                return unsafe nghttp2_nv(
                    name: position, value: position + field.nameLength, namelen: field.nameLength,
                    valuelen: field.valueLength, flags: field.flags)
            }
            unsafe headers.withUnsafeBufferPointer(body)
        }
    }
}

extension HeaderBlock {
    /// The trailers of a call.
    init(trailers status: RPCStatus) {
        self.init()
        add("grpc-status", String(status.code).utf8)
        if !status.message.isEmpty {
            add("grpc-message", PercentEncoding.encode(status.message), isIndexed: false)
        }
        // Clients bound their header lists, often at 8 KiB: losing the details is better than losing the status.
        if !status.details.isEmpty && status.details.count <= 4_096 {
            add("grpc-status-details-bin", BinaryHeader.encode(status.details), isIndexed: false)
        }
        for trailer in status.trailers { add(trailer.name, trailer.value.utf8, isIndexed: false) }
    }

    /// A whole answer in one header block.
    init(trailersOnly status: RPCStatus, httpStatus: Int = 200) {
        self.init()
        add(":status", String(httpStatus).utf8)
        add("content-type", "application/grpc".utf8)
        let trailers = HeaderBlock(trailers: status)
        bytes += trailers.bytes
        fields += trailers.fields
    }
}

/// Lends `:status 200` and the content type, without an allocation.
func withResponseHeaders(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> Void) {
    unsafe withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: 2) { headers in
        unsafe headers.initializeElement(at: 0, to: staticHeader(":status", "200"))
        unsafe headers.initializeElement(at: 1, to: staticHeader("content-type", "application/grpc"))
        unsafe body(UnsafeBufferPointer(headers))
    }
}

/// Lends `grpc-status: 0`, without an allocation.
func withOKTrailers(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> Void) {
    var header = unsafe staticHeader("grpc-status", "0")
    unsafe withUnsafePointer(to: &header) { unsafe body(UnsafeBufferPointer(start: $0, count: 1)) }
}

/// A header of literals, which live as long as the process: nothing is copied.
private func staticHeader(_ name: StaticString, _ value: StaticString) -> nghttp2_nv {
    unsafe nghttp2_nv(
        name: UnsafeMutablePointer(mutating: name.utf8Start), value: UnsafeMutablePointer(mutating: value.utf8Start),
        namelen: name.utf8CodeUnitCount, valuelen: value.utf8CodeUnitCount,
        flags: UInt8(NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue))
}
