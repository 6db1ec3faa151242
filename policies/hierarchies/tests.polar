# ceo -> vp -> lead -> dev: each is the manager of the next one.
test fixture staff {
  has_relation(Employee{"dev"}, "manager", Employee{"lead"});
  has_relation(Employee{"lead"}, "manager", Employee{"vp"});
  has_relation(Employee{"vp"}, "manager", Employee{"ceo"});
  has_relation(Employee{"cook"}, "manager", Employee{"chef"});
}

# company / engineering / tools.
test fixture centers {
  has_relation(CostCenter{"tools"}, "parent", CostCenter{"engineering"});
  has_relation(CostCenter{"engineering"}, "parent", CostCenter{"company"});
}

test fixture reports {
  has_relation(ExpenseReport{"trip"}, "author", Employee{"dev"});
  has_relation(ExpenseReport{"trip"}, "cost_center", CostCenter{"tools"});
}

test "managers of managers are superiors" {
  setup { fixture staff; }

  assert has_role(who: Employee, "superior", Employee{"dev"})
    iff who in [Employee{"lead"}, Employee{"vp"}, Employee{"ceo"}];
  assert has_role(Employee{"vp"}, "superior", whom: Employee)
    iff whom in [Employee{"dev"}, Employee{"lead"}];
  assert allow(Employee{"ceo"}, "see_calendar", Employee{"dev"});
  assert_not allow(Employee{"dev"}, "see_calendar", Employee{"lead"});
  assert_not allow(Employee{"dev"}, "see_calendar", Employee{"dev"});
  assert_not allow(Employee{"chef"}, "see_calendar", Employee{"dev"});
}

test "the salary is for the direct manager" {
  setup { fixture staff; }

  assert allow(who: Employee, "see_salary", Employee{"dev"}) iff who = Employee{"lead"};
  assert allow(Employee{"lead"}, "see_salary", Employee{"dev"});
  assert_not allow(Employee{"vp"}, "see_salary", Employee{"dev"});
}

test "roles on a cost center reach the ones below" {
  setup {
    fixture centers;
    has_role(Employee{"cora"}, "controller", CostCenter{"engineering"});
    has_role(Employee{"bo"}, "bookkeeper", CostCenter{"company"});
  }

  assert allow(Employee{"cora"}, "close", center: CostCenter)
    iff center in [CostCenter{"engineering"}, CostCenter{"tools"}];
  assert allow(Employee{"bo"}, "read", center: CostCenter)
    iff center in [CostCenter{"company"}, CostCenter{"engineering"}, CostCenter{"tools"}];
  assert allow(Employee{"cora"}, "read", CostCenter{"tools"});
  assert_not allow(Employee{"cora"}, "read", CostCenter{"company"});
  assert_not allow(Employee{"bo"}, "close", CostCenter{"company"});
}

test "a report is seen by its author, the superiors and the bookkeepers" {
  setup {
    fixture staff;
    fixture centers;
    fixture reports;
    has_role(Employee{"bo"}, "bookkeeper", CostCenter{"company"});
  }

  assert allow(who: Employee, "read", ExpenseReport{"trip"})
    iff who in [
      Employee{"dev"}, Employee{"lead"}, Employee{"vp"}, Employee{"ceo"}, Employee{"bo"}
    ];
  assert allow(who: Employee, "submit", ExpenseReport{"trip"}) iff who = Employee{"dev"};
  assert allow(Employee{"dev"}, "read", ExpenseReport{"trip"});
  assert allow(Employee{"bo"}, "read", ExpenseReport{"trip"});
  assert_not allow(Employee{"chef"}, "read", ExpenseReport{"trip"});
}

test "superiors approve, bookkeepers pay what is approved" {
  setup {
    fixture staff;
    fixture centers;
    fixture reports;
    has_role(Employee{"bo"}, "bookkeeper", CostCenter{"engineering"});
    has_relation(ExpenseReport{"taxi"}, "cost_center", CostCenter{"tools"});
    is_approved(ExpenseReport{"taxi"});
  }

  assert allow(Employee{"vp"}, "approve", ExpenseReport{"trip"});
  assert_not allow(Employee{"dev"}, "approve", ExpenseReport{"trip"});
  assert_not allow(Employee{"bo"}, "approve", ExpenseReport{"trip"});
  assert allow(Employee{"bo"}, "pay", report: ExpenseReport) iff report = ExpenseReport{"taxi"};
  assert_not allow(Employee{"bo"}, "pay", ExpenseReport{"trip"});
}

test "a circle of managers and a circle of cost centers come to an end" {
  setup {
    has_relation(Employee{"yin"}, "manager", Employee{"yang"});
    has_relation(Employee{"yang"}, "manager", Employee{"yin"});
    has_relation(CostCenter{"a"}, "parent", CostCenter{"b"});
    has_relation(CostCenter{"b"}, "parent", CostCenter{"a"});
    has_role(Employee{"cora"}, "controller", CostCenter{"a"});
  }

  # In a circle everybody is above everybody, also above oneself.
  assert has_role(who: Employee, "superior", Employee{"yin"})
    iff who in [Employee{"yin"}, Employee{"yang"}];
  assert allow(Employee{"cora"}, "close", center: CostCenter)
    iff center in [CostCenter{"a"}, CostCenter{"b"}];
  assert allow(Employee{"cora"}, "close", CostCenter{"b"});
  assert_not allow(Employee{"yin"}, "close", CostCenter{"a"});
}
