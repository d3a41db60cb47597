// How fast keys are wrapped and unwrapped through the pool, beside a bare loop of the same calls on one thread.
//
//     pkcs11-bench [SECONDS [CALLERS…]]     on a SoftHSM token of its own; 5 rounds, with 1, 8 and 30 callers
//
// Each round of SECONDS (1) measures the bare loop and the pool in turn, so that whatever else the machine does slows
// down both. It prints, for each number of callers, both medians in wraps with unwraps per second, and the median ratio.

import CP11Kit
import Foundation
import PosternPKCS11
import PosternProtocol

let arguments = CommandLine.arguments.dropFirst().compactMap(Double.init)
let seconds = arguments.first ?? 1
let rounds = 5
let callers = arguments.count > 1 ? arguments.dropFirst().map(Int.init) : [1, 8, 30]
let soon = Deadline.after(.seconds(3_600))
let key = SecretBytes(copying: UInt8(0)..<32)
let binding = Array("domain".utf8)

let token = try SoftToken()
defer { token.remove() }
let uri = try PKCS11URI("pkcs11:token=bench;object=kek?module-path=\(SoftToken.module)&pin-source=\(token.pinFile)")
let settings = try PKCS11TokenSettings(
    uri, module: PKCS11ModuleLocation(.path(SoftToken.module), isManaged: false))
let pool = try PKCS11Token(settings, modules: PKCS11Modules())
try await pool.generateKey(.aes256, label: "kek", id: [1], deadline: soon)
let wrapper = try await PKCS11KeyWrapper.open(token: pool, key: uri, deadline: soon)

let loop = try BareLoop(module: SoftToken.module)
print("callers   bare loop   pool      pool ÷ bare")
for count in callers {
    var bare: [Double] = []
    var pooled: [Double] = []
    for _ in 0..<rounds {
        bare.append(try loop.run(seconds: seconds))
        pooled.append(try await poolRate(count))
    }
    let ratio = median(zip(pooled, bare).map { $0 / $1 })
    print(String(format: "%7d   %-9.0f   %-7.0f   %.2f", count, median(bare), median(pooled), ratio))
}
try await pool.close(deadline: soon)

/// Has some callers wrap and unwrap without a pause.
func poolRate(_ count: Int) async throws -> Double {
    let start = ContinuousClock.now
    let end = start.advanced(by: .seconds(seconds))
    let done = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<count {
            group.addTask {
                var done = 0
                while ContinuousClock.now < end {
                    let blob = try await wrapper.wrap(key, associatedData: binding, deadline: .after(.seconds(60)))
                    _ = try await wrapper.unwrap(blob, associatedData: binding, deadline: .after(.seconds(60)))
                    done += 1
                }
                return done
            }
        }
        return try await group.reduce(0, +)
    }
    return Double(done) / (start.duration(to: .now) / .seconds(1))
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
