exports.handle = async (event) => ({ statusCode: 200, body: 'Hello, World!' });
