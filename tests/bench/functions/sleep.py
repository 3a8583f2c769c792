import asyncio


async def handle(event):
    await asyncio.sleep(0.01)
    return "done"
