// Whether reads and writes can be expected to work, which takes a store and a key.

public import PosternProtocol

extension EnvelopeBackend {
    /// Asks the store and all key wrappers at once.
    ///
    /// Ready means that the store is, and that one wrapper is or keys in memory still serve: an outage of the
    /// HSM must not take a gateway out of service that can go on. The detail names each part.
    public func health(deadline: Deadline) async -> BackendHealth {
        let wrappers = wrappers
        async let storeHealth = store.health(deadline: deadline)
        let keys = await withTaskGroup(of: (Int, BackendHealth).self) { group in
            for (index, wrapper) in wrappers.enumerated() {
                group.addTask { (index, await wrapper.health(deadline: deadline)) }
            }
            var answers: [Int: BackendHealth] = [:]
            for await (index, health) in group { answers[index] = health }
            return answers
        }
        let storeAnswer = await storeHealth
        var parts = ["\(store.name): \(storeAnswer.detail)"]
        for (index, wrapper) in wrappers.enumerated() {
            parts.append("key \(wrapper.descriptor.id): \(keys[index]?.detail ?? "no answer")")
        }
        for result in verification.report?.keks ?? [] where !result.ok {
            // Another key still opens everything, so this is for people to see and no reason to stop.
            parts.append("key \(result.kek) failed its last check: \(result.problem ?? "no reason given")")
        }
        var canUseKeys = keys.values.contains(where: \.isReady)
        if !canUseKeys {
            let held = cache.usableCount
            canUseKeys = held > 0
            parts.append(held > 0 ? "serving with \(held) keys in memory" : "no keys in memory")
        }
        return BackendHealth(isReady: storeAnswer.isReady && canUseKeys, detail: parts.joined(separator: "; "))
    }
}
