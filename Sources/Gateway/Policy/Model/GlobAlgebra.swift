// What can be said of globs without a path at hand. Lists need it: they ask about all that lies below.

extension Glob.Segment {
    /// Whether this matches a segment (`**` is not asked).
    func matches(_ name: String) -> Bool {
        switch self {
        case .literal(let text): text == name
        case .any, .deep: true
        case .pattern(let pattern): pattern.matches(name)
        }
    }

    /// Whether this matches every single segment that another does.
    fileprivate func includes(_ other: Glob.Segment) -> Bool {
        switch (self, other) {
        case (_, .deep): false
        case (.any, _): true
        case (_, .literal(let text)): matches(text)
        default: self == other
        }
    }
}

extension ArraySlice<Glob.Segment> {
    /// Whether these segments match every path that others do.
    ///
    /// Errs on the side of false, never of true: what it says is covered is covered.
    func covers(_ other: ArraySlice<Glob.Segment>) -> Bool {
        guard let head = first else { return other.isEmpty }
        let tail = dropFirst()
        if head == .deep {
            if tail.covers(other) { return true }
            return !other.isEmpty && covers(other.dropFirst())
        }
        guard let otherHead = other.first, head.includes(otherHead) else { return false }
        return tail.covers(other.dropFirst())
    }

    /// What is left to match once the first segment of a path is `name`: several ways after a `**`.
    func remainders(after name: String) -> Set<ArraySlice<Glob.Segment>> {
        guard let head = first else { return [] }
        let tail = dropFirst()
        if head == .deep { return tail.remainders(after: name).union([self]) }
        return head.matches(name) ? [tail] : []
    }
}
