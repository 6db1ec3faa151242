test "a public report is for every employee" {
  setup { is_public(Report{"brochure"}); }

  assert allow(_: Employee, "read", Report{"brochure"});
  assert allow(Employee{"anybody"}, "read", Report{"brochure"});
  assert allow(Employee{"anybody"}, action: String, Report{"brochure"}) iff action = "read";
  assert_not allow(Employee{"anybody"}, "read", Report{"ledger"});
}

test "an author reads always, edits a draft and publishes what was reviewed" {
  setup {
    has_relation(Report{"d"}, "author", Employee{"ada"});
    has_relation(Report{"r"}, "author", Employee{"ada"});
    has_relation(Report{"p"}, "author", Employee{"ada"});
    has_status(Report{"d"}, "draft");
    has_status(Report{"r"}, "reviewed");
    has_status(Report{"p"}, "published");
  }

  assert allow(Employee{"ada"}, action: String, Report{"d"}) iff action in ["read", "edit"];
  assert allow(Employee{"ada"}, action: String, Report{"r"}) iff action in ["read", "publish"];
  assert allow(Employee{"ada"}, action: String, Report{"p"}) iff action = "read";
  assert_not allow(Employee{"bob"}, "edit", Report{"d"});
  assert_not allow(Employee{"bob"}, "publish", Report{"r"});
}

test "downloading needs the flag to be true, and reading" {
  setup {
    is_public(Report{"open"});
    allows_download(Report{"open"}, true);
    is_public(Report{"view-only"});
    allows_download(Report{"view-only"}, false);
    is_public(Report{"undecided"});
    allows_download(Report{"ledger"}, true);
  }

  assert allow(Employee{"bob"}, "download", report: Report) iff report = Report{"open"};
  assert allow(Employee{"bob"}, "download", Report{"open"});
  assert_not allow(Employee{"bob"}, "download", Report{"view-only"});
  assert_not allow(Employee{"bob"}, "download", Report{"undecided"});
  assert_not allow(Employee{"bob"}, "download", Report{"ledger"});
}

test "the clearance must reach the sensitivity" {
  setup {
    has_clearance(Employee{"low"}, 1);
    has_clearance(Employee{"mid"}, 2);
    has_clearance(Employee{"high"}, 10);
    has_status(Report{"audit"}, "published");
    has_sensitivity(Report{"audit"}, 2);
    has_status(Report{"unrated"}, "published");
    has_sensitivity(Report{"draft"}, 0);
    has_status(Report{"draft"}, "draft");
  }

  # 10 is more than 2: numbers are compared as numbers, not as text.
  assert allow(employee: Employee, "read", Report{"audit"})
    iff employee in [Employee{"mid"}, Employee{"high"}];
  assert allow(Employee{"mid"}, "read", Report{"audit"});
  assert_not allow(Employee{"low"}, "read", Report{"audit"});
  assert_not allow(Employee{"uncleared"}, "read", Report{"audit"});
  assert_not allow(Employee{"high"}, "read", Report{"unrated"});
  assert_not allow(Employee{"high"}, "read", Report{"draft"});
}

test "editors work on the open reports of their department" {
  setup {
    is_editor_of(Employee{"eva"}, "finance");
    belongs_to(Report{"q1"}, "finance");
    has_status(Report{"q1"}, "draft");
    belongs_to(Report{"q2"}, "finance");
    has_status(Report{"q2"}, "reviewed");
    belongs_to(Report{"q3"}, "finance");
    has_status(Report{"q3"}, "published");
    belongs_to(Report{"case"}, "legal");
    has_status(Report{"case"}, "draft");
  }

  assert allow(Employee{"eva"}, "edit", report: Report) iff report in [Report{"q1"}, Report{"q2"}];
  assert allow(Employee{"eva"}, "edit", Report{"q2"});
  assert_not allow(Employee{"eva"}, "edit", Report{"q3"});
  assert_not allow(Employee{"eva"}, "edit", Report{"case"});
}
