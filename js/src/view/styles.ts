import bar from "./css/bar.css";
import base from "./css/base.css";
import choices from "./css/choices.css";
import inputs from "./css/inputs.css";
import panels from "./css/panels.css";
import picture from "./css/picture.css";
import readout from "./css/readout.css";

export const css = [base, inputs, picture, panels, bar, readout, choices].join("");
