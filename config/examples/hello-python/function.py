def handle(event):
    name = event.get("name", "World")
    return {"statusCode": 200, "body": f"Hello, {name}!"}
