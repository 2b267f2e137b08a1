import Foundation
import MailkeepKit

/// Enums some of whose cases have fields: as JSON each case is an object that says which it is.
private let fielded: [any Any.Type] = [
    ArchiveRule.self, BodyPolicy.self, Change.self, Changes.self, Event.self, Expire.self, Keep.self,
    LeftoverAction.self, OperationKind.self, OperationState.self, RetentionReason.self, Window.self,
]

/// A value of the API as JSON has it: fields in snake case, octets as hexadecimal digits.
func plain(_ value: Any) -> JSON {
    switch value {
    case let text as String: return .string(text)
    case let truth as Bool: return .bool(truth)
    case let number as Int64: return .number(number)
    case let number as Int32: return .number(Int64(number))
    case let octets as Data: return .string(hex(octets))
    case let items as [Any]: return .list(items.map(plain))
    default: break
    }
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional:
        return mirror.children.first.map { plain($0.value) } ?? .null
    case .enum:
        let one = mirror.children.first
        let name = snake(one?.label ?? "\(value)").uppercased()
        guard fielded.contains(where: { $0 == mirror.subjectType }) else { return .string(name) }
        var fields = one.map { Dictionary(uniqueKeysWithValues: labelled($0.value)) } ?? [:]
        fields["is"] = .string(name)
        return .object(fields)
    default:
        return .object(Dictionary(uniqueKeysWithValues: mirror.children.map { (snake($0.label!), plain($0.value)) }))
    }
}

/// The fields of an enum's case.
private func labelled(_ payload: Any) -> [(String, JSON)] {
    Mirror(reflecting: payload).children.map { (snake($0.label!), plain($0.value)) }
}

private func snake(_ name: String) -> String {
    var out = ""
    for letter in name {
        if letter.isUppercase, let last = out.last, last != "_" { out.append("_") }
        out.append(contentsOf: letter.lowercased())
    }
    return out
}

func hex(_ octets: Data) -> String {
    octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
