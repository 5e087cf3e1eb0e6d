from mvstylizer.api import DeviceOptions as DeviceOptions
from mvstylizer.api import Engine as Engine
from mvstylizer.api import KeyFrameStylizer as KeyFrameStylizer
from mvstylizer.api import LocalStylizer as LocalStylizer
from mvstylizer.api import MVStylizerError as MVStylizerError
from mvstylizer.api import Part as Part
from mvstylizer.api import Preview as Preview
from mvstylizer.api import Progress as Progress
from mvstylizer.api import Style as Style
from mvstylizer.api import preview_video as preview_video
from mvstylizer.api import stylize_picture as stylize_picture
from mvstylizer.api import stylize_video as stylize_video

__version__: str
