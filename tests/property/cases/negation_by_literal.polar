# has_permission depends on not has_permission, of another permission.
actor User {}
resource Doc { permissions = ["read"]; relations = { up: Doc }; }
has_permission(user: User, "blocked", doc: Doc) if has_relation(doc, "up", top) and has_permission(user, "blocked", top);
has_permission(user: User, "blocked", doc: Doc) if banned(user, doc);
has_permission(user: User, "read", doc: Doc) if sees(user, doc) and not has_permission(user, "blocked", doc);
test "blocked above" {
  setup {
    sees(User{"ann"}, Doc{"a"}); sees(User{"bob"}, Doc{"a"});
    has_relation(Doc{"a"}, "up", Doc{"b"}); has_relation(Doc{"b"}, "up", Doc{"a"});
    banned(User{"bob"}, Doc{"b"});
  }
  assert allow(User{"ann"}, "read", Doc{"a"});
  assert_not allow(User{"bob"}, "read", Doc{"a"});
  assert allow(User{"bob"}, "blocked", Doc{"a"});
}
