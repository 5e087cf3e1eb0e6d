"""fl_server: the ServerApp of MVStylizer's cloud, which flower-server submits to Flower campaign by campaign."""

import logging
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from fl_server.cloud_dir import CloudDir
from fl_server.process_log import log_to
from fl_server.round_log import write_state
from fl_server.settings import load_settings

_LOG = logging.getLogger(__name__)

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run one campaign on the cloud directory named by ``data-dir`` of the run's configuration."""
    cloud = CloudDir(Path(str(context.run_config["data-dir"])))
    log_to(cloud.logs / "serverapp.log", "flwr", "fl_server")
    ending = "campaign finished"
    try:
        with cloud.writer_lock():
            write_state(cloud, "starting", None, context.run_id)
            from fl_server.campaign import Campaign  # torch only once no other ServerApp is at work

            Campaign(grid, cloud, load_settings(cloud.settings), context.run_id).run()
    except Exception as error:
        # Flower keeps what a ServerApp raises out of the operator's sight.
        _LOG.exception("the campaign ended early; flower-server submits the next one")
        ending = f"campaign failed: {' '.join(str(error).split()) or type(error).__name__}"
        raise
    finally:
        write_state(cloud, ending, None, context.run_id, over=True)
