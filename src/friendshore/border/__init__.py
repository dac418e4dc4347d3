"""What a shipment owes at the border, why, and a hundred million of them."""
