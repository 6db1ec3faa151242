# A personnel system: not only who may see a record, but which of its fields.
# There are two ways to say that, and this policy shows both.

actor Employee {}

resource Department {
  roles = ["recruiter", "head"];
  permissions = ["read"];

  "read" if "recruiter" or "head";
}

# The first way: a permission for each field, "field.action". It is short, it is
# asked like any other action, and it fits when the fields are few and known.
resource Record {
  permissions = ["read", "email.read", "email.update", "salary.read", "salary.update"];
  relations = { department: Department, subject: Employee };

  "email.read" if "subject";
  "email.update" if "subject";
  "salary.read" if "subject";

  "email.read" if "recruiter" on "department";
  "salary.read" if "head" on "department";
  "salary.update" if "head" on "department";

  # The record as such is shown to whom some field of it is shown.
  "read" if "email.read" or "salary.read";
}

# Nobody raises the own salary, not even a head of the department.
allow(employee: Employee, action: String, resource: Resource) if
  has_permission(employee, action, resource) and
  not is_own_salary(employee, action, resource);

is_own_salary(employee: Employee, "salary.update", record: Record) if
  has_relation(record, "subject", employee);

# The second way: the field is a value of its own, and a predicate of four arguments
# says who may do what with which field of which application. It fits when
# there are many fields, or when somebody adds fields without changing the policy.
resource Application {
  permissions = ["read"];
  relations = { department: Department };

  "read" if "read" on "department";
}

resource Field {}

# Plain fields are open to all who may read the application.
allow_field(employee: Employee, "read", application: Application, field: Field) if
  has_permission(employee, "read", application) and
  is_plain(field);

# Those of a protected category need a training for that category.
allow_field(employee: Employee, "read", application: Application, field: Field) if
  has_permission(employee, "read", application) and
  category matches String and
  has_category(field, category) and
  is_trained_for(employee, category);

# A single field can be named as well.
allow_field(employee: Employee, "update", application: Application, Field{"notes"}) if
  department matches Department and
  has_relation(application, "department", department) and
  has_role(employee, "recruiter", department);

# Which fields exist. New ones may also be stored as facts.
is_plain(Field{"name"});
is_plain(Field{"notes"});
has_category(Field{"diagnosis"}, "medical");
