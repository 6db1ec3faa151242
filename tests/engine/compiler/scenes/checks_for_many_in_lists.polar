# A list goes on if a check says yes for one of several values, which nothing else needs.
actor User { relations = { manager: User }; }
resource Doc {
  permissions = ["read"];
  relations = { side: Doc };
}
resource Memo extends Doc {
  permission if permission on "side";
}
declare hides(User, Memo);
declare staffed(String);
has_permission(u: User, "read", m: Memo) if staffed("yes") and not hides(u, m);
allow(u: User, a: String, d: Resource) if
  has_permission(u, a, d) and not has_relation(u, "manager", u);
#+ staffed("yes")
#+ has_relation(Memo:a, "side", Memo:b)
#+ has_relation(Memo:b, "side", Memo:c)
#+ has_relation(Memo:d, "side", Memo:d)
#+ hides(User:u, Memo:a)
#+ hides(User:u, Memo:b)
#+ hides(User:u, Memo:c)
#+ hides(User:v, Memo:a)
#+ has_relation(User:w, "manager", User:w)
#+ has_relation(User:u, "manager", User:v)
