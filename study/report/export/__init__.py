"""Hand a study's records to other tools: Optuna's dashboard, TensorBoard, MLflow, and retrieval evaluators."""
