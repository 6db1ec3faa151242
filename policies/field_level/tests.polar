test fixture company {
  has_role(Employee{"rosa"}, "recruiter", Department{"sales"});
  has_role(Employee{"hedy"}, "head", Department{"sales"});
  has_relation(Record{"r-sam"}, "department", Department{"sales"});
  has_relation(Record{"r-sam"}, "subject", Employee{"sam"});
  has_relation(Record{"r-hedy"}, "department", Department{"sales"});
  has_relation(Record{"r-hedy"}, "subject", Employee{"hedy"});
  has_relation(Application{"kim"}, "department", Department{"sales"});
  has_relation(Application{"lou"}, "department", Department{"legal"});
}

test "fields of the own record" {
  setup { fixture company; }

  assert allow(Employee{"sam"}, action: String, Record{"r-sam"})
    iff action in ["read", "email.read", "email.update", "salary.read"];
  assert allow(Employee{"sam"}, "email.update", Record{"r-sam"});
  assert_not allow(Employee{"sam"}, "salary.update", Record{"r-sam"});
  assert_not allow(Employee{"sam"}, "email.read", Record{"r-hedy"});
}

test "fields of other records, by role" {
  setup { fixture company; }

  assert allow(Employee{"rosa"}, action: String, Record{"r-sam"})
    iff action in ["read", "email.read"];
  assert allow(Employee{"hedy"}, action: String, Record{"r-sam"})
    iff action in ["read", "salary.read", "salary.update"];
  assert allow(Employee{"rosa"}, "email.read", Record{"r-sam"});
  assert allow(Employee{"hedy"}, "salary.update", Record{"r-sam"});
  assert_not allow(Employee{"rosa"}, "salary.read", Record{"r-sam"});
  assert_not allow(Employee{"hedy"}, "email.update", Record{"r-sam"});
}

test "nobody raises the own salary" {
  setup { fixture company; }

  assert has_permission(Employee{"hedy"}, "salary.update", Record{"r-hedy"});
  assert_not allow(Employee{"hedy"}, "salary.update", Record{"r-hedy"});
  assert allow(Employee{"hedy"}, "salary.read", Record{"r-hedy"});
}

test "departments and applications are read by both roles" {
  setup { fixture company; }

  assert allow(employee: Employee, "read", Department{"sales"})
    iff employee in [Employee{"rosa"}, Employee{"hedy"}];
  assert allow(Employee{"rosa"}, "read", application: Application)
    iff application = Application{"kim"};
  assert_not allow(Employee{"sam"}, "read", Application{"kim"});
}

test "plain fields of an application" {
  setup { fixture company; is_plain(Field{"school"}); }

  assert allow_field(Employee{"rosa"}, "read", Application{"kim"}, field: Field)
    iff field in [Field{"name"}, Field{"notes"}, Field{"school"}];
  assert_not allow_field(Employee{"rosa"}, "read", Application{"lou"}, Field{"name"});
  assert_not allow_field(Employee{"sam"}, "read", Application{"kim"}, Field{"name"});
}

test "protected fields need a training" {
  setup {
    fixture company;
    is_trained_for(Employee{"hedy"}, "medical");
    is_trained_for(Employee{"sam"}, "medical");
    is_trained_for(Employee{"rosa"}, "criminal");
    has_category(Field{"offences"}, "criminal");
  }

  assert allow_field(Employee{"hedy"}, "read", Application{"kim"}, field: Field)
    iff field in [Field{"name"}, Field{"notes"}, Field{"diagnosis"}];
  assert allow_field(Employee{"rosa"}, "read", Application{"kim"}, field: Field)
    iff field in [Field{"name"}, Field{"notes"}, Field{"offences"}];
  # Trained, but the application is none of his business.
  assert_not allow_field(Employee{"sam"}, "read", Application{"kim"}, Field{"diagnosis"});
}

test "recruiters write notes, and nothing else" {
  setup { fixture company; }

  assert allow_field(Employee{"rosa"}, "update", Application{"kim"}, field: Field)
    iff field = Field{"notes"};
  assert_not allow_field(Employee{"hedy"}, "update", Application{"kim"}, Field{"notes"});
  assert_not allow_field(Employee{"rosa"}, "update", Application{"lou"}, Field{"notes"});
}
