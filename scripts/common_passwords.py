#!/usr/bin/env python3
"""Makes Sources/Domains/Identity/Accounts/CommonPasswords.swift from the list of leaked passwords that PyPI's zxcvbn brings.

    .venv/bin/python scripts/common_passwords.py

Only those are taken that are long enough to be refused for nothing else. They are kept as the beginnings of their hashes, which
is shorter, and keeps a list of obscenities out of the sources.
"""

import hashlib
import pathlib
import textwrap

from zxcvbn.frequency_lists import FREQUENCY_LISTS

# As in PasswordRules.swift.
SHORTEST = 10
FILE = pathlib.Path(__file__).parent.parent / "Sources/Domains/Identity/Accounts/CommonPasswords.swift"

HEAD = '''\
import Cryptography

/// Passwords that thieves try first: of 30,000 that were leaked most often (zxcvbn 4.5.0) those of at least ten characters.
/// Made by scripts/common_passwords.py.
enum CommonPasswords {
  /// Whether it is one of them.
  /// - Parameter password: in lower case.
  static func contain(_ password: String) -> Bool {
    hashes.contains(Hash.sha256(Array(password.utf8)).prefix(6).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  /// The first 48 bits of their SHA-256.
  private static let hashes = Set(
    """
'''
TAIL = '''
    """.split { $0 == " " || $0.isNewline }.compactMap { UInt64($0, radix: 16) })
}
'''


def main():
    common = [password.lower() for password in FREQUENCY_LISTS["passwords"] if len(password) >= SHORTEST]
    hashes = sorted({hashlib.sha256(password.encode()).hexdigest()[:12] for password in common})
    lines = textwrap.wrap(" ".join(hashes), width=112)
    FILE.write_text(HEAD + "\n".join("    " + line for line in lines) + TAIL)


if __name__ == "__main__":
    main()
