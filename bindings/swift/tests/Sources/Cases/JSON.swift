import Foundation

/// As much JSON as the tests read and compare: numbers are whole.
enum JSON: Equatable, Sendable, Decodable {
    case null
    case bool(Bool)
    case number(Int64)
    case string(String)
    case list([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let truth = try? value.decode(Bool.self) {
            self = .bool(truth)
        } else if let number = try? value.decode(Int64.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .string(text)
        } else if let list = try? value.decode([JSON].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: JSON].self))
        }
    }

    static func parse(_ text: Data) throws -> JSON {
        try JSONDecoder().decode(JSON.self, from: text)
    }

    subscript(name: String) -> JSON {
        if case .object(let fields) = self { fields[name] ?? .null } else { .null }
    }

    var list: [JSON] {
        if case .list(let items) = self { items } else { [] }
    }

    var text: String {
        if case .string(let text) = self { text } else { "" }
    }

    var number: Int64 {
        if case .number(let number) = self { number } else { -1 }
    }
}
