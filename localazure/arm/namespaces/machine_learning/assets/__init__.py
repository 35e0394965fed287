"""Assets: codes, models, environments and data, their versions and the files behind them."""
