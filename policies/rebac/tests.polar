# handbook/ contains drafts/, drafts/ contains the document "plan".
test fixture tree {
  has_relation(Folder{"drafts"}, "parent", Folder{"handbook"});
  has_relation(Document{"plan"}, "folder", Folder{"drafts"});
  has_relation(Document{"memo"}, "folder", Folder{"elsewhere"});
}

test fixture people {
  has_relation(Document{"plan"}, "owner", User{"olga"});
  has_relation(Document{"plan"}, "reviewer", User{"rob"});
  has_relation(Folder{"handbook"}, "owner", User{"hana"});
  has_relation(Folder{"drafts"}, "owner", User{"drew"});
  has_relation(User{"olga"}, "deputy", User{"dina"});
}

test "the owner of a document does everything but approve" {
  setup { fixture people; }

  assert allow(User{"olga"}, action: String, Document{"plan"})
    iff action in ["read", "comment", "write", "delete"];
  assert allow(User{"olga"}, "delete", Document{"plan"});
  assert_not allow(User{"olga"}, "approve", Document{"plan"});
  assert_not allow(User{"olga"}, "read", Document{"memo"});
}

test "a reviewer reads, comments and approves" {
  setup { fixture people; }

  assert allow(User{"rob"}, action: String, Document{"plan"})
    iff action in ["read", "comment", "approve"];
  assert_not allow(User{"rob"}, "write", Document{"plan"});
  # The relation is no role.
  assert_not has_role(User{"rob"}, "viewer", Document{"plan"});
}

test "roles come down the tree, over every level" {
  setup { fixture tree; has_role(User{"vera"}, "viewer", Folder{"handbook"}); }

  assert has_role(User{"vera"}, role: String, Document{"plan"}) iff role = "viewer";
  assert allow(User{"vera"}, "list", folder: Folder)
    iff folder in [Folder{"handbook"}, Folder{"drafts"}];
  assert allow(User{"vera"}, "read", document: Document) iff document = Document{"plan"};
  assert_not allow(User{"vera"}, "write", Document{"plan"});
  assert_not allow(User{"vera"}, "list", Folder{"elsewhere"});
}

test "roles do not climb up the tree" {
  setup { fixture tree; has_role(User{"edda"}, "editor", Folder{"drafts"}); }

  assert allow(User{"edda"}, "write", Document{"plan"});
  assert allow(User{"edda"}, "list", folder: Folder) iff folder = Folder{"drafts"};
  assert_not allow(User{"edda"}, "list", Folder{"handbook"});
}

test "the owner of a folder edits what is in it" {
  setup { fixture tree; fixture people; }

  assert allow(User{"hana"}, "list", Folder{"drafts"});
  assert allow(User{"hana"}, "write", Document{"plan"});
  # Deleting is for the owner of the very folder.
  assert_not allow(User{"hana"}, "delete", Document{"plan"});
  assert allow(user: User, "delete", Document{"plan"}) iff user in [User{"olga"}, User{"drew"}];
}

test "a deputy edits for the owner" {
  setup { fixture people; }

  assert allow(User{"dina"}, action: String, Document{"plan"})
    iff action in ["read", "comment", "write"];
  assert_not allow(User{"dina"}, "delete", Document{"plan"});
  # It is no way back: the owner does not become the deputy's deputy.
  assert allow(user: User, "see_calendar", User{"olga"}) iff user = User{"dina"};
  assert_not allow(User{"olga"}, "see_calendar", User{"dina"});
}
