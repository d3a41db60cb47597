// A dictionary that can tell what to forget first, with second-chance eviction. How much is too much is for its
// owner to say.

/// A dictionary whose entries can be evicted one by one. What was not used since it came, or since the eviction hand
/// last came by, goes first.
struct BoundedTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Slot: Sendable {
        var value: Value
        var isRecent = false
    }

    private var slots: [Key: Slot] = [:]
    /// The order in which the hand visits keys. May name forgotten ones; each key once.
    private var ring: [Key] = []
    private var inRing: Set<Key> = []
    private var hand = 0

    var count: Int { slots.count }
    var keys: some Collection<Key> { slots.keys }

    /// A value as it is, without counting as its use.
    subscript(key: Key) -> Value? { slots[key]?.value }

    /// A value, which counts as used.
    mutating func use(_ key: Key) -> Value? {
        guard let slot = slots[key] else { return nil }
        if !slot.isRecent { slots[key]?.isRecent = true }
        return slot.value
    }

    /// Puts a value in place of what is there.
    mutating func put(_ key: Key, _ value: Value) {
        slots[key] = Slot(value: value)
        if inRing.insert(key).inserted { ring.append(key) }
        // What was removed stays in the ring until the hand comes by; it must not pile up meanwhile.
        if ring.count > 2 * max(slots.count, 1_024) {
            ring.removeAll { slots[$0] == nil }
            inRing = Set(ring)
            hand = 0
        }
    }

    /// Changes a value in place, if there is one.
    mutating func update(_ key: Key, _ change: (inout Value) -> Void) {
        guard let index = slots.index(forKey: key) else { return }
        change(&slots.values[index].value)
    }

    /// Forgets a value.
    /// - Returns: the value, if there was one.
    @discardableResult
    mutating func remove(_ key: Key) -> Value? {
        slots.removeValue(forKey: key)?.value
    }

    /// Moves the hand on to an entry that was not used since it last came by, and forgets that.
    /// - Returns: the value, or nil if there is none left.
    mutating func evictOne() -> Value? {
        while !ring.isEmpty {
            if hand >= ring.count { hand = 0 }
            let key = ring[hand]
            if let slot = slots[key], slot.isRecent {
                slots[key]?.isRecent = false
                hand += 1
                continue
            }
            let evicted = remove(key)
            inRing.remove(key)
            ring.swapAt(hand, ring.count - 1)
            ring.removeLast()
            if let evicted { return evicted }
        }
        return nil
    }
}
