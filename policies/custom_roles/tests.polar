# Acme has invented "sales" and "intern". Globex has a "sales" of its own.
test fixture roles {
  has_relation(Role{"acme-sales"}, "organization", Organization{"acme"});
  has_relation(Role{"acme-intern"}, "organization", Organization{"acme"});
  has_relation(Role{"globex-sales"}, "organization", Organization{"globex"});
  grants_permission(Role{"acme-sales"}, "contact.read");
  grants_permission(Role{"acme-sales"}, "contact.write");
  grants_permission(Role{"acme-intern"}, "contact.read");
  grants_permission(Role{"globex-sales"}, "contact.export");
  is_custom(Role{"acme-intern"});
}

test fixture contacts {
  has_relation(Contact{"smith"}, "organization", Organization{"acme"});
  has_relation(Contact{"jones"}, "organization", Organization{"globex"});
}

test "a user may what the role grants" {
  setup {
    fixture roles;
    has_role(User{"sara"}, Role{"acme-sales"}, Organization{"acme"});
    has_role(User{"ian"}, Role{"acme-intern"}, Organization{"acme"});
  }

  assert allow(User{"sara"}, action: String, Organization{"acme"})
    iff action in ["contact.read", "contact.write"];
  assert allow(User{"ian"}, action: String, Organization{"acme"}) iff action = "contact.read";
  assert allow(User{"sara"}, "contact.write", Organization{"acme"});
  assert allow(User{"ian"}, "contact.read", Organization{"acme"});
  assert_not allow(User{"ian"}, "contact.write", Organization{"acme"});
  assert_not allow(User{"sara"}, "manage_roles", Organization{"acme"});
  assert_not allow(User{"nobody"}, "contact.read", Organization{"acme"});
}

test "several roles add up" {
  setup {
    fixture roles;
    grants_permission(Role{"acme-intern"}, "contact.export");
    has_role(User{"sara"}, Role{"acme-sales"}, Organization{"acme"});
    has_role(User{"sara"}, Role{"acme-intern"}, Organization{"acme"});
  }

  assert allow(User{"sara"}, action: String, Organization{"acme"})
    iff action in ["contact.read", "contact.write", "contact.export"];
}

test "a role counts only in the organization that made it" {
  setup {
    fixture roles;
    # A mistake, or an attack: the role of one organization given in another one.
    has_role(User{"eve"}, Role{"globex-sales"}, Organization{"acme"});
  }

  assert_not allow(User{"eve"}, "contact.export", Organization{"acme"});
  assert_not allow(User{"eve"}, "contact.export", Organization{"globex"});
}

test "no role grants what roles are not about" {
  setup {
    fixture roles;
    grants_permission(Role{"acme-sales"}, "manage_roles");
    has_role(User{"sara"}, Role{"acme-sales"}, Organization{"acme"});
  }

  assert_not allow(User{"sara"}, "manage_roles", Organization{"acme"});
}

test "the admin has every permission and manages the roles" {
  setup { fixture roles; has_role(User{"ada"}, "admin", Organization{"acme"}); }

  assert allow(User{"ada"}, action: String, Organization{"acme"})
    iff action in ["manage_roles", "contact.read", "contact.write", "contact.export"];
  assert allow(User{"ada"}, "manage_roles", Organization{"acme"});
  assert_not allow(User{"ada"}, "contact.read", Organization{"globex"});

  assert allow(User{"ada"}, "edit", role: Role)
    iff role in [Role{"acme-sales"}, Role{"acme-intern"}];
  assert allow(User{"ada"}, "delete", role: Role) iff role = Role{"acme-intern"};
  assert allow(User{"ada"}, "delete", Role{"acme-intern"});
  assert_not allow(User{"ada"}, "delete", Role{"acme-sales"});
  assert_not allow(User{"ada"}, "edit", Role{"globex-sales"});
}

test "contacts follow their organization" {
  setup {
    fixture roles;
    fixture contacts;
    has_role(User{"sara"}, Role{"acme-sales"}, Organization{"acme"});
    has_role(User{"ian"}, Role{"acme-intern"}, Organization{"acme"});
  }

  assert allow(User{"sara"}, "write", contact: Contact) iff contact = Contact{"smith"};
  assert allow(User{"ian"}, action: String, Contact{"smith"}) iff action = "read";
  assert allow(User{"sara"}, "write", Contact{"smith"});
  assert_not allow(User{"ian"}, "write", Contact{"smith"});
  assert_not allow(User{"sara"}, "read", Contact{"jones"});
}
