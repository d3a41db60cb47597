// A gRPC server for tests and load: its methods do one thing each. It prints its port, serves until its input
// ends, and takes `name=value` arguments for the server's limits and times.
//
//     RPCEcho CERTIFICATES [name=value …]

import Foundation
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import PosternGRPCTransport

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("RPCEcho: \(message)\n".utf8))
    exit(2)
}

guard CommandLine.arguments.count > 1 else { fail("give the directory of server.pem, server.key and ca.pem") }
let settings = Settings(arguments: CommandLine.arguments.dropFirst(2))
let certificates = CommandLine.arguments[1]

var tls = TLSConfiguration.makeServerConfiguration(
    certificateChain: try NIOSSLCertificate.fromPEMFile(certificates + "/server.pem").map { .certificate($0) },
    privateKey: .privateKey(try NIOSSLPrivateKey(file: certificates + "/server.key", format: .pem)))
tls.trustRoots = .file(certificates + "/ca.pem")
tls.certificateVerification = .noHostnameVerification
tls.applicationProtocols = ["h2"]
tls.minimumTLSVersion = .tlsv13
let context = try NIOSSLContext(configuration: tls)

var logger = Logger(label: "rpc-echo")
logger.logLevel = settings.isVerbose ? .debug : .warning
let group = MultiThreadedEventLoopGroup(numberOfThreads: settings.threads)
let counters = Counters()
let service = EchoService(counters: counters)
let server = GRPCServer(
    configuration: settings.configuration, methods: service.methods, tls: { context },
    admit: { peer in
        if settings.refusesAll { return .refuse(reason: "This server refuses everybody.") }
        return .accept(attachment: "peer-\(peer.connectionID)")
    }, group: group, logger: logger, observer: settings.isCounting ? counters : nil)
service.server = server

let address = try await server.start()
FileHandle.standardOutput.write(Data("\(address.port ?? 0)\n".utf8))

Thread.detachNewThread {
    while FileHandle.standardInput.availableData.count > 0 {}
    exit(0)
}
try await server.waitUntilStopped()
FileHandle.standardOutput.write(Data("stopped\n".utf8))
