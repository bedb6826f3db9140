use super::*;
use serde_json::json;

fn patched(kind: ScimKind, stored: &Value, operations: &Value) -> Result<Value, Kind> {
    let schemas = Schemas::load().unwrap();
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    apply(&schemas, kind, stored.as_object().unwrap(), body.as_object().unwrap())
        .map(|patched| Value::Object(patched.resource))
        .map_err(|error| error.kind)
}

fn user(stored: &Value, operations: Value) -> Result<Value, Kind> {
    patched(ScimKind::User, stored, &operations)
}

#[test]
fn every_word_for_no_is_no() {
    let stored = json!({"userName": "a", "active": true});
    for value in
        [json!(false), json!("False"), json!("false"), json!("FALSE"), json!(["False"]), json!([{"value": "False"}])]
    {
        for operation in [
            json!([{"op": "Replace", "path": "active", "value": value}]),
            json!([{"op": "Add", "path": "ACTIVE", "value": value}]),
            json!([{"OP": "replace", "value": {"active": value}}]),
            json!([{"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": value}]),
        ] {
            let made = user(&stored, operation.clone()).unwrap_or_else(|kind| panic!("{operation}: {kind:?}"));
            assert_eq!(made, json!({"userName": "a", "active": false}), "{operation}");
        }
    }
    for value in [json!("no"), json!(0), json!(""), json!("Disabled"), json!({"a": false}), json!([true, false])] {
        let refused = user(&stored, json!([{"op": "replace", "path": "active", "value": value}]));
        assert_eq!(refused, Err(Kind::InvalidValue), "{value}");
    }
}

#[test]
fn entra_sets_many_attributes_without_a_path() {
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let number = format!("{urn}:employeeNumber");
    let made = user(
        &json!({"userName": "a", "name": {"familyName": "B"}}),
        json!([{"op": "replace", "value": {"displayName": "B", "name.givenName": "K", number: "42",
            "emails[type eq \"work\"].value": "a@x.example", "unheardOf": 1}}]),
    );
    assert_eq!(
        made.unwrap(),
        json!({"userName": "a", "name": {"familyName": "B", "givenName": "K"}, "displayName": "B",
            urn: {"employeeNumber": "42"}, "emails": [{"type": "work", "value": "a@x.example"}]})
    );
}

#[test]
fn a_manager_is_an_object_whatever_was_sent() {
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let path = format!("{urn}:manager");
    for value in [json!("2c2f"), json!({"value": "2c2f", "displayName": "M"})] {
        let made = user(&json!({"userName": "a"}), json!([{"op": "Add", "path": path, "value": value}])).unwrap();
        assert_eq!(made, json!({"userName": "a", urn: {"manager": {"value": "2c2f"}}}));
    }
    let stored = json!({"userName": "a", urn: {"manager": {"value": "2c2f"}}});
    for operation in [
        json!({"op": "Remove", "path": path}),
        json!({"op": "Replace", "path": path, "value": null}),
        json!({"op": "Remove", "path": urn}),
    ] {
        assert_eq!(user(&stored, json!([operation])).unwrap(), json!({"userName": "a"}), "{operation}");
    }
}

#[test]
fn a_value_is_chosen_or_made() {
    let stored = json!({"userName": "a", "emails": [{"type": "work", "value": "w", "primary": true}, {"type": "home", "value": "h"}]});
    let path = "emails[type eq \"work\"].value";
    let made = user(&stored, json!([{"op": "Replace", "path": path, "value": "n"}])).unwrap();
    assert_eq!(made["emails"][0], json!({"type": "work", "value": "n", "primary": true}));
    let made = user(&stored, json!([{"op": "Remove", "path": "emails[type eq \"home\"]"}])).unwrap();
    assert_eq!(made["emails"].as_array().unwrap().len(), 1);
    let other = json!([{"op": "Add", "path": "emails[type eq \"other\"].value", "value": "o"}]);
    assert_eq!(user(&stored, other).unwrap()["emails"][2], json!({"type": "other", "value": "o"}));
    let primary = json!([{"op": "add", "path": "emails", "value": [{"value": "p", "primary": true}]}]);
    let made = user(&stored, primary).unwrap();
    assert_eq!((&made["emails"][0]["primary"], &made["emails"][2]["primary"]), (&json!(false), &json!(true)));
    let all = json!([{"op": "Remove", "path": "emails"}]);
    assert_eq!(user(&stored, all).unwrap(), json!({"userName": "a"}));
}

#[test]
fn members_come_and_go_one_by_one_or_all() {
    let member = |id: &str| json!({"value": id});
    let group =
        |ids: &[&str]| json!({"displayName": "G", "members": ids.iter().map(|id| member(id)).collect::<Vec<_>>()});
    let made = |operations: Value| patched(ScimKind::Group, &group(&["1", "2"]), &operations).unwrap();
    let entra = json!([{"$ref": null, "value": "2"}, {"$ref": null, "value": "3"}]);
    assert_eq!(made(json!([{"op": "Add", "path": "members", "value": entra}])), group(&["1", "2", "3"]));
    assert_eq!(made(json!([{"op": "Remove", "path": "members", "value": entra}])), group(&["1"]));
    assert_eq!(made(json!([{"op": "Remove", "path": "members"}])), json!({"displayName": "G"}));
    assert_eq!(
        made(
            json!([{"op": "remove", "path": "members[value eq \"1\"]"}, {"op": "add", "path": "members", "value": [{"value": "3"}]}])
        ),
        group(&["2", "3"])
    );
    assert_eq!(made(json!([{"op": "replace", "path": "members", "value": [{"value": "9"}]}])), group(&["9"]));
    assert_eq!(made(json!([{"op": "replace", "value": {"id": "g1", "displayName": "N"}}]))["displayName"], "N");
}

#[test]
fn nothing_is_done_by_halves() {
    let stored = json!({"userName": "a"});
    let refused = [
        (
            json!([{"op": "replace", "path": "title", "value": "t"}, {"op": "move", "path": "title"}]),
            Kind::InvalidSyntax,
        ),
        (json!([{"op": "remove"}]), Kind::NoTarget),
        (json!([{"op": "remove", "path": "userName"}]), Kind::Mutability),
        (json!([{"op": "replace", "path": "id", "value": "9"}]), Kind::Mutability),
        (json!([{"op": "replace", "path": "emails[type eq", "value": "9"}]), Kind::InvalidPath),
        (json!([{"op": "replace", "path": "title[type eq \"a\"]", "value": "9"}]), Kind::InvalidPath),
        (json!([{"op": "replace", "value": "False"}]), Kind::InvalidValue),
        (json!(["remove"]), Kind::InvalidSyntax),
    ];
    for (operations, kind) in refused {
        assert_eq!(user(&stored, operations.clone()), Err(kind), "{operations}");
    }
    let unknown = json!([{"op": "replace", "path": "colour", "value": "red"}, {"op": "replace", "path": "active", "value": "False"}]);
    assert_eq!(
        user(&stored, unknown).unwrap(),
        json!({"userName": "a", "active": false}),
        "a leaver is not kept by it"
    );
}

mod any {
    use super::*;
    use crate::feed::scim::value;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = String> {
        let known = prop::sample::select(vec![
            "active",
            "ACTIVE",
            "userName",
            "name",
            "name.givenName",
            "emails",
            "emails[type eq \"work\"].value",
            "emails[type eq \"work\" and primary eq true]",
            "externalId",
            "id",
            "meta",
            "title",
            "schemas",
            "value",
            "type",
            "primary",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            "employeeNumber",
            "manager",
        ]);
        prop_oneof![8 => known.prop_map(str::to_owned), 1 => ".{0,12}"]
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            prop::sample::select(vec!["", "True", "false", "work", "a@x.example"]).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(name(), inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    fn operation() -> impl Strategy<Value = Value> {
        (prop::sample::select(vec!["add", "Replace", "remove"]), prop::option::of(name()), json())
            .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
    }

    proptest! {
        /// Whatever is sent is refused, or becomes a resource that reads as itself; and what says that somebody is
        /// not active leaves nobody active.
        #[test]
        fn what_is_stored_reads_as_itself(operations in prop::collection::vec(operation(), 1..5)) {
            let schemas = Schemas::load().unwrap();
            let stored = json!({"userName": "a", "active": true, "emails": [{"type": "work", "value": "w"}]});
            let stored = stored.as_object().unwrap();
            let read = value::resource(&schemas, ScimKind::User, stored).unwrap();
            prop_assert_eq!(&read, stored);
            let mut body = Object::new();
            body.insert("Operations".to_owned(), operations.into());
            if let Ok(patched) = apply(&schemas, ScimKind::User, stored, &body) {
                let again = value::resource(&schemas, ScimKind::User, &patched.resource);
                prop_assert_eq!(again.as_ref(), Ok(&patched.resource));
                prop_assert!(patched.spoke_of_active || patched.resource.get("active") == Some(&Value::Bool(true)));
            }
            let off = json!({"op": "replace", "path": "active", "value": "False"});
            if let Some(Value::Array(operations)) = body.get_mut("Operations") {
                operations.push(off);
            }
            if let Ok(patched) = apply(&schemas, ScimKind::User, stored, &body) {
                prop_assert!(patched.spoke_of_active);
                prop_assert_eq!(patched.resource.get("active"), Some(&Value::Bool(false)));
            }
        }
    }
}
