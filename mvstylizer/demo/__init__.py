"""The demonstration: a clip and a style photo made on the spot, stylized through a real edge."""
