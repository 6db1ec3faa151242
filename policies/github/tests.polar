# Acme owns "anvil", Globex owns "laser".
test fixture repositories {
  has_relation(Repository{"anvil"}, "organization", Organization{"acme"});
  has_relation(Repository{"laser"}, "organization", Organization{"globex"});
}

# Engineering has backend, backend has storage.
test fixture teams {
  has_member(Team{"engineering"}, Team{"backend"});
  has_member(Team{"backend"}, Team{"storage"});
  has_member(Team{"engineering"}, User{"eve"});
  has_member(Team{"backend"}, User{"ben"});
  has_member(Team{"storage"}, User{"sue"});
}

test "owners and members of an organization" {
  setup {
    has_role(User{"ann"}, "owner", Organization{"acme"});
    has_role(User{"max"}, "member", Organization{"acme"});
  }

  assert allow(User{"ann"}, action: String, Organization{"acme"})
    iff action in ["read", "create_repository", "manage"];
  assert allow(User{"max"}, action: String, Organization{"acme"})
    iff action in ["read", "create_repository"];
  assert allow(User{"max"}, "create_repository", Organization{"acme"});
  assert_not allow(User{"max"}, "manage", Organization{"acme"});
  assert_not allow(User{"ann"}, "read", Organization{"globex"});
}

test "an owner is admin of the organization's repositories, a member is nothing there" {
  setup {
    fixture repositories;
    has_role(User{"ann"}, "owner", Organization{"acme"});
    has_role(User{"max"}, "member", Organization{"acme"});
  }

  assert allow(User{"ann"}, "delete", repository: Repository) iff repository = Repository{"anvil"};
  assert_not allow(User{"ann"}, "read", Repository{"laser"});
  assert_not allow(User{"max"}, "read", Repository{"anvil"});
}

test "each role on a repository includes the ones below it" {
  setup {
    has_role(User{"ada"}, "admin", Repository{"anvil"});
    has_role(User{"mia"}, "maintainer", Repository{"anvil"});
    has_role(User{"wes"}, "writer", Repository{"anvil"});
    has_role(User{"tim"}, "triager", Repository{"anvil"});
    has_role(User{"rea"}, "reader", Repository{"anvil"});
  }

  assert allow(User{"ada"}, action: String, Repository{"anvil"})
    iff action in ["read", "triage", "write", "maintain", "delete"];
  assert allow(User{"mia"}, action: String, Repository{"anvil"})
    iff action in ["read", "triage", "write", "maintain"];
  assert allow(User{"wes"}, action: String, Repository{"anvil"})
    iff action in ["read", "triage", "write"];
  assert allow(User{"tim"}, action: String, Repository{"anvil"}) iff action in ["read", "triage"];
  assert allow(User{"rea"}, action: String, Repository{"anvil"}) iff action = "read";
  assert allow(User{"mia"}, "maintain", Repository{"anvil"});
  assert_not allow(User{"mia"}, "delete", Repository{"anvil"});
  assert_not allow(User{"ada"}, "read", Repository{"laser"});
}

test "who is in a team is in all teams around it" {
  setup { fixture teams; }

  assert in_team(user: User, Team{"engineering"})
    iff user in [User{"eve"}, User{"ben"}, User{"sue"}];
  assert in_team(User{"ben"}, team: Team) iff team in [Team{"engineering"}, Team{"backend"}];
}

test "what a team holds, its users hold" {
  setup {
    fixture teams;
    has_role(Team{"engineering"}, "triager", Repository{"anvil"});
    has_role(Team{"backend"}, "writer", Repository{"anvil"});
  }

  assert allow(user: User, "write", Repository{"anvil"}) iff user in [User{"ben"}, User{"sue"}];
  assert allow(User{"eve"}, action: String, Repository{"anvil"}) iff action in ["read", "triage"];
  assert allow(User{"sue"}, "triage", Repository{"anvil"});
  assert_not allow(User{"eve"}, "write", Repository{"anvil"});
  assert_not allow(User{"stranger"}, "read", Repository{"anvil"});
  # A team inside of another one does not get the role itself; its users do.
  assert_not has_role(Team{"storage"}, "writer", Repository{"anvil"});
}

test "teams that hold each other are no problem" {
  setup {
    has_member(Team{"design"}, Team{"brand"});
    has_member(Team{"brand"}, Team{"design"});
    has_member(Team{"brand"}, User{"bea"});
    has_role(Team{"design"}, "reader", Repository{"laser"});
  }

  assert in_team(user: User, Team{"design"}) iff user = User{"bea"};
  assert allow(User{"bea"}, "read", Repository{"laser"});
  assert_not allow(User{"max"}, "read", Repository{"laser"});
}

test "everybody reads a public repository" {
  setup { is_public(Repository{"anvil"}); }

  assert allow(_: User, "read", Repository{"anvil"});
  assert allow(User{"nobody"}, action: String, Repository{"anvil"}) iff action = "read";
  assert_not allow(User{"nobody"}, "read", Repository{"laser"});
}

test "an archived repository is read and deleted, and nothing else" {
  setup {
    has_role(User{"ada"}, "admin", Repository{"museum"});
    has_role(User{"ada"}, "admin", Repository{"anvil"});
    is_archived(Repository{"museum"});
  }

  assert allow(User{"ada"}, action: String, Repository{"museum"}) iff action in ["read", "delete"];
  assert allow(User{"ada"}, "write", Repository{"anvil"});
  assert_not allow(User{"ada"}, "triage", Repository{"museum"});
  assert_not allow(User{"ada"}, "write", Repository{"museum"});
  assert_not allow(User{"ada"}, "maintain", Repository{"museum"});
}
