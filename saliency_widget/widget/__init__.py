"""The notebook widget: traits that carry what is drawn, messages that ask and report. Nothing here computes."""
