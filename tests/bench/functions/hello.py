def handle(event):
    return {"statusCode": 200, "body": "Hello, World!"}
