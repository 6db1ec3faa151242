# Acme has the space "howto" with a page, and the private space "board" with a page.
test fixture wiki {
  has_relation(Space{"howto"}, "organization", Organization{"acme"});
  has_relation(Space{"board"}, "organization", Organization{"acme"});
  is_private(Space{"board"});
  has_relation(Page{"printer"}, "space", Space{"howto"});
  has_relation(Page{"minutes"}, "space", Space{"board"});
}

test fixture people {
  has_role(User{"ada"}, "admin", Organization{"acme"});
  has_role(User{"max"}, "member", Organization{"acme"});
}

test "an admin is a member and changes the settings" {
  setup { fixture people; }

  assert allow(User{"ada"}, action: String, Organization{"acme"})
    iff action in ["read", "change_settings"];
  assert allow(User{"max"}, action: String, Organization{"acme"}) iff action = "read";
  assert_not allow(User{"guest"}, "read", Organization{"acme"});
}

test "without a default role members see no space" {
  setup { fixture wiki; fixture people; }

  assert_not allow(User{"max"}, "read", Space{"howto"});
  assert_not allow(User{"max"}, "read", Page{"printer"});
}

test "the default role is for members of this organization, and not in private spaces" {
  setup {
    fixture wiki;
    fixture people;
    has_default_role(Organization{"acme"}, "writer");
    has_role(User{"gus"}, "member", Organization{"globex"});
  }

  assert has_role(User{"max"}, role: String, Space{"howto"}) iff role in ["writer", "reader"];
  assert allow(User{"max"}, "write", space: Space) iff space = Space{"howto"};
  assert allow(User{"max"}, "write", Space{"howto"});
  assert_not allow(User{"max"}, "rename", Space{"howto"});
  assert_not allow(User{"max"}, "read", Space{"board"});
  assert_not allow(User{"gus"}, "read", Space{"howto"});
}

test "another default is another setting, not another policy" {
  setup { fixture wiki; fixture people; has_default_role(Organization{"acme"}, "reader"); }

  assert allow(User{"max"}, action: String, Space{"howto"}) iff action = "read";
  assert allow(User{"max"}, "read", Page{"printer"});
  assert_not allow(User{"max"}, "edit", Page{"printer"});
}

test "admins maintain every space, private ones as well" {
  setup { fixture wiki; fixture people; }

  assert allow(User{"ada"}, action: String, Space{"board"}) iff action in ["read", "write", "rename"];
  assert allow(User{"ada"}, action: String, Page{"minutes"})
    iff action in ["read", "edit", "protect"];
}

test "protecting a page takes it from the writers" {
  setup {
    fixture wiki;
    fixture people;
    has_role(User{"wes"}, "writer", Space{"howto"});
    has_role(User{"mia"}, "maintainer", Space{"howto"});
    has_relation(Page{"rules"}, "space", Space{"howto"});
    is_protected(Page{"rules"});
  }

  assert allow(User{"wes"}, action: String, Page{"printer"}) iff action in ["read", "edit"];
  assert allow(User{"wes"}, action: String, Page{"rules"}) iff action = "read";
  assert allow(user: User, "edit", Page{"rules"}) iff user in [User{"ada"}, User{"mia"}];
  assert allow(User{"ada"}, "edit", Page{"rules"});
  assert allow(User{"mia"}, "protect", Page{"printer"});
  assert_not allow(User{"wes"}, "protect", Page{"printer"});
  assert_not allow(User{"wes"}, "edit", Page{"rules"});
}

test "guests read what the organization opens to them" {
  setup {
    fixture wiki;
    allows_guests(Organization{"acme"});
    has_relation(Page{"rules"}, "space", Space{"howto"});
    is_protected(Page{"rules"});
  }

  assert allow(_: User, "read", Page{"printer"});
  assert allow(User{"guest"}, action: String, Page{"printer"}) iff action = "read";
  assert_not allow(User{"guest"}, "read", Page{"rules"});
  assert_not allow(User{"guest"}, "read", Page{"minutes"});
}

test "guests read nothing where nobody has opened it" {
  setup { fixture wiki; }

  assert_not allow(User{"guest"}, "read", Page{"printer"});
}
