// The documented exit codes, and how every error becomes one line on standard error.

import ArgumentParser
import PosternClient
import PosternProtocol

extension SecretError.Code {
    /// The exit code of a command that failed so.
    var exitCode: ExitCode {
        switch self {
        case .internalError: ExitCode(1)
        case .invalidArgument, .tooLarge: ExitCode(2)
        case .notFound, .versionDeleted, .versionDestroyed: ExitCode(3)
        case .permissionDenied: ExitCode(4)
        case .unauthenticated: ExitCode(5)
        case .conflict: ExitCode(6)
        case .backendUnavailable, .backendSealed, .keyUnavailable, .auditUnavailable, .rateLimited,
            .deadlineExceeded, .cancelled:
            ExitCode(7)
        case .integrityFailure: ExitCode(8)
        }
    }
}

/// The exit code for a configuration that cannot be used (EX_CONFIG of sysexits.h).
let configurationExitCode = ExitCode(78)

/// Prints a message to standard error.
func complain(_ message: String) {
    StandardError.write("postern: \(message)")
}

/// Runs a command's work; what it throws is printed as one message, and becomes the documented exit code.
func reporting<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch let error as ClientError {
        complain(error.description)
        throw error.error.code.exitCode
    } catch let error as SecretError {
        complain(error.description)
        throw error.code.exitCode
    } catch let error as ExitCode {
        throw error
    } catch let error as ValidationError {
        throw error
    } catch {
        complain("\(error)")
        throw ExitCode(1)
    }
}
