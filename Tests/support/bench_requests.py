"""The requests of the benchmark's transactions, as a client would send them."""

from . import stubs

# Of version 7.
REQUEST_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def order():
    messages = stubs.module("bench.v1.transactions_pb2")
    lines = [messages.OrderLine(product=number, quantity=1) for number in (17, 4711)]
    return messages.PlaceOrderRequest(customer=815, lines=lines)


def transfer():
    messages = stubs.module("bench.v1.transactions_pb2")
    return messages.TransferRequest(request_id=REQUEST_ID, debtor=815, creditor=4711, amount=5)


def framed(request):
    """A message as it lies in the body of a call."""
    content = request.SerializeToString()
    return b"\0" + len(content).to_bytes(4, "big") + content
