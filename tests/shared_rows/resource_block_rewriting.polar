# Rows: resource block rewriting. Every kind of head with every kind of condition, on the resource itself and
# over a relation. The order of a relation is has_relation(owner, name, related).

actor User {}

resource Org {
  roles = ["admin", "member"];
  permissions = ["invite"];
  relations = { founder: User, parent: Org };

  "member" if "admin";
  "admin" if "founder";
  "invite" if "admin";
  "founder" if "founder" on "parent";
}

resource Repo {
  roles = ["writer", "reader"];
  permissions = ["push", "pull", "fork", "rename", "thank"];
  relations = { org: Org, creator: User };

  # role from role, from role over a relation, from permission over a relation, from relation
  "reader" if "writer";
  "reader" if "member" on "org";
  "writer" if "invite" on "org";
  "writer" if "creator";
  # permission from role, from permission, from relation, over a relation from a role and from a relation
  "pull" if "reader";
  "fork" if "pull";
  "push" if "creator";
  "rename" if "admin" on "org";
  "thank" if "founder" on "org";
}

test "in the block itself" {
  setup {
    has_relation(Repo{"r"}, "creator", User{"cleo"});
    has_role(User{"rex"}, "reader", Repo{"r"});
    has_role(User{"wes"}, "writer", Repo{"r"});
  }
  assert allow(User{"cleo"}, action: String, Repo{"r"}) iff action in ["push", "pull", "fork"];
  assert allow(User{"rex"}, action: String, Repo{"r"}) iff action in ["pull", "fork"];
  assert allow(User{"wes"}, action: String, Repo{"r"}) iff action in ["pull", "fork"];
  assert has_role(User{"cleo"}, role: String, Repo{"r"}) iff role in ["writer", "reader"];
  assert has_role(User{"rex"}, role: String, Repo{"r"}) iff role = "reader";
  assert allow(User{"cleo"}, "push", Repo{"r"});
  assert allow(User{"rex"}, "fork", Repo{"r"});
  assert_not allow(User{"wes"}, "push", Repo{"r"});
}

test "over a relation" {
  setup {
    has_relation(Repo{"r"}, "org", Org{"o"});
    has_relation(Org{"o"}, "founder", User{"fay"});
    has_role(User{"ada"}, "admin", Org{"o"});
    has_role(User{"max"}, "member", Org{"o"});
  }
  assert has_role(User{"ada"}, role: String, Org{"o"}) iff role in ["admin", "member"];
  assert has_role(User{"max"}, role: String, Repo{"r"}) iff role = "reader";
  assert has_role(User{"ada"}, role: String, Repo{"r"}) iff role in ["reader", "writer"];
  assert allow(user: User, "rename", Repo{"r"}) iff user in [User{"ada"}, User{"fay"}];
  assert allow(user: User, "thank", Repo{"r"}) iff user = User{"fay"};
  assert allow(User{"ada"}, "rename", Repo{"r"});
  assert allow(User{"fay"}, "thank", Repo{"r"});
  assert_not allow(User{"ada"}, "thank", Repo{"r"});
  assert_not allow(User{"max"}, "rename", Repo{"r"});
  assert allow(User{"fay"}, "invite", Org{"o"});
  assert_not allow(User{"max"}, "invite", Org{"o"});
  assert_not allow(User{"ada"}, "pull", Repo{"other"});
}

test "a relation follows from a relation over a relation" {
  setup {
    has_relation(Org{"low"}, "parent", Org{"mid"});
    has_relation(Org{"mid"}, "parent", Org{"top"});
    has_relation(Org{"top"}, "founder", User{"fay"});
  }
  assert has_relation(org: Org, "founder", User{"fay"})
    iff org in [Org{"top"}, Org{"mid"}, Org{"low"}];
  assert allow(User{"fay"}, "invite", Org{"low"});
}
