// What holds for every call: deadlines, cancellation; and health.

import PosternProtocol

let callChecks = [
    KeyWrapperCheck("a call whose deadline has passed fails at once") { instance in
        let blob = try await instance.wrapper.wrap(sampleKey(32), associatedData: [], deadline: soon)
        let late = Deadline.after(.seconds(-1))
        try await expectError(.deadlineExceeded, from: "wrapping past the deadline") {
            _ = try await instance.wrapper.wrap(sampleKey(32), associatedData: [], deadline: late)
        }
        try await expectError(.deadlineExceeded, from: "unwrapping past the deadline") {
            _ = try await instance.wrapper.unwrap(blob, associatedData: [], deadline: late)
        }
        // An answer is the point: past its deadline there is one too.
        let health = await instance.wrapper.health(deadline: late)
        try expect(!health.isReady, "it calls itself ready without having tried")
    },
    KeyWrapperCheck("a call in a cancelled task fails at once") { instance in
        let blob = try await instance.wrapper.wrap(sampleKey(32), associatedData: [], deadline: soon)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await expectError(.cancelled, from: "wrapping in a cancelled task") {
                _ = try await instance.wrapper.wrap(sampleKey(32), associatedData: [], deadline: soon)
            }
            try await expectError(.cancelled, from: "unwrapping in a cancelled task") {
                _ = try await instance.wrapper.unwrap(blob, associatedData: [], deadline: soon)
            }
        }
        task.cancel()
        try await task.value
    },
    KeyWrapperCheck("calls cancelled while they run leave the wrapper usable") { instance in
        for round in UInt8(0)..<50 {
            let task = Task {
                try await instance.wrapper.wrap(sampleKey(32, seed: round), associatedData: [round], deadline: soon)
            }
            if round.isMultiple(of: 2) { await Task.yield() }
            task.cancel()
            switch await task.result {
            case .success(let blob):
                let back = try await instance.wrapper.unwrap(blob, associatedData: [round], deadline: soon)
                try expect(back == sampleKey(32, seed: round), "a key came back different")
            case .failure(let error):
                try expect((error as? SecretError)?.code == .cancelled, "a cancelled call gave \(error)")
            }
        }
        let health = await instance.wrapper.health(deadline: soon)
        try expect(health.isReady, "not ready: \(health.detail)")
    },
    KeyWrapperCheck("a wrapper that works is ready") { instance in
        let health = await instance.wrapper.health(deadline: soon)
        try expect(health.isReady, "not ready: \(health.detail)")
    },
]
